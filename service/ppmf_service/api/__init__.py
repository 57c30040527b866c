# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interfaces of the servers (chapter 8, "The users' interface").

`users_api` is RecSys' and `csp_api` CSP's, each as an ASGI application that knows no socket;
`server` puts them on addresses. What every request passes, whichever application it is for, is in
`envelope`: how many are under way, what an error becomes, what is counted (`metrics`) and logged.
Answers are made by `published` (sessions), `public_status` (how far one is) and `problems`
(refusals); `limits` bounds bodies and wrong tokens. `page_routes` serves the page for users, and
`openapi.yaml` describes the rest for programs.
Begin with `users_api`.
"""
