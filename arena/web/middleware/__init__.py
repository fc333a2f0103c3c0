"""What every request passes, whatever its route: limits, hosts, cookies, headers, errors, metrics.

`arena.web.app.add_security` puts most of it around the application, from the outside inwards: start
reading there. `direct_routes` answers votes and clips without FastAPI; `problem_details` has the
error responses. May import `frontend` (for the content security policy) and `server`.
"""
