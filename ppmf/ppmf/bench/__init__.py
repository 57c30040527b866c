# SPDX-License-Identifier: Apache-2.0
"""`ppmf bench`: measurements of what a training costs on this machine.

`benchmark` makes one benchmark part by part and keeps its results; begin there. It rests on

- `run_sizes`: the sizes at which each part measures;
- `measured_runs`: one measured training;
- `scaling`: cost against size; `comparison`, `spu`: the same work in SecretFlow SPU;
- `service`: two servers over TLS beside `ppmf train`, and many uploads at once;
- `calibration`: unit costs for `ppmf estimate`, and estimates beside measured runs;
- `tables`, `plots`: the results, shown.
"""
