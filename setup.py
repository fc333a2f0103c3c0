"""What pyproject.toml cannot say: a wheel carries `alembic/` as `arena/_migrations`.

A second top-level folder named `alembic` would shadow the library of that name where the wheel is
installed; `arena.database.migrations_folder` finds it in either place.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMigrations(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source in sorted(Path("alembic").rglob("*")):
            if source.suffix in (".py", ".mako"):
                target = Path(self.build_lib, "arena", "_migrations", source.relative_to("alembic"))
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))


setup(cmdclass={"build_py": BuildWithMigrations})
