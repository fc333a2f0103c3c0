"""The engine: many clip requests in, finished clips out, each entrant's weights loaded once.

Read it in the order in which a request travels:

    generate         the entry: in this process, in worker processes or on a Ray cluster
    schedule         which clip a worker makes next, and how often a clip is retried
    pool             the main process: starts workers, hands out tasks, yields clips (or `ray`)
    order_pool       the same for clips of services, for which one process waits
    process          a worker's process as the main process sees it: start, submit, receive, stop
    worker_main      the code in that process and in its two post-processing processes
    worker           holds the backend; runs the model, queues its output for post-processing
    post_processing  fits, checks, encodes and measures a clip

It may import `backends`, `media` and the modules at the top of `generator`, and is imported by
`serve` and by the command line. `Outcome` is a `GeneratedClip` or a `FailedClip`: a clip that
fails is reported and the run continues; the clips of a worker that died are retried in a new one.

Why post-processing does not run in a `concurrent.futures.ProcessPoolExecutor`:

- Its processes share one result pipe whose writing end the parent holds too. A process killed (by
  the out-of-memory killer, say) while it sends a clip leaves half a message there, and the
  executor waits for the rest for ever: 9 of 9 kills inside a transfer of 400 MB hung, on Python
  3.11. With one pipe a process, the same kill is an end of file and the clip is retried.
- It needs named semaphores, which a killed worker leaks (reported on stderr at exit), and children
  of the worker, which outlive a killed one unless each watches it. Here all processes are children
  of the main process and share no lock.
- It is not faster. Handing over a clip of 256 px (14 MB) costs the model's process 24 to 33 ms of
  CPU time with pipes, 34 to 38 ms with the executor; for 5 s of 1080p (750 MB) both take the same.
"""

from generator.engine.generate import check, generate
from generator.engine.post_processing import import_clip, render

__all__ = ["check", "generate", "import_clip", "render"]
