"""The web application: pages (Streamlit), API, clips and metrics (FastAPI) in one process.

`app` builds and serves it: start reading there. `api`, `clips`, `assets`, `health` and `api_page`
are its routes; `csrf`, `headers`, `voters` and `metrics` its middleware; `views` the pages, `duel`
the vote page's component. Routes parse a request, call the layers below and shape the response.
May not import `production`, which would load torch, nor `release`, `commands` and `simulation`.
"""
