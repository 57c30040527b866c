# SPDX-License-Identifier: Apache-2.0
"""What several tests share: builders of inputs, independent readings, and parties on shares."""
