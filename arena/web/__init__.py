"""The web application: pages (Streamlit), API, clips and metrics (FastAPI).

`app` builds and serves it: start reading there. `routes` has the HTTP API, `middleware` what every
request passes, `views` the pages' scripts, `duel` the vote page's component, `frontend` and
`rendering` what they load and show, `server` processes and sockets. May not import `production`,
which would load torch, nor `release`, `commands` and `simulation`.
"""
