"""Files, folders and depth of imports of each package.

Run: python tests/support/import_depth.py [FOLDER]   (the folder that holds the packages)

The depth of a package is the number of modules on the longest chain of imports inside it. The depth
by folder counts folders in place of modules, with the package's top-level modules by themselves.
Imports for types alone, which are never loaded, do not count.
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import grimp

PACKAGES = ("ratings", "generator", "arena")


def longest_chain(nodes: Iterable[str], imports: Callable[[str], Iterable[str]]) -> int | None:
    """The number of nodes on the longest chain of imports; None where the imports form a circle."""
    unfinished: set[str] = set()

    @cache
    def depth(node: str) -> int:
        if node in unfinished:
            raise RecursionError(node)
        unfinished.add(node)
        deepest = 1 + max((depth(each) for each in imports(node)), default=0)
        unfinished.discard(node)
        return deepest

    try:
        return max(depth(node) for node in nodes)
    except RecursionError:
        return None


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    sys.path.insert(0, str(root))
    row = "{:<10}{:>7}{:>9}{:>14}{:>8}{:>18}"
    print(row.format("package", "files", "folders", "most in one", "depth", "depth by folder"))
    for name in PACKAGES:
        graph = grimp.build_graph(name, exclude_type_checking_imports=True, cache_dir=None)
        files = [path for path in (root / name).rglob("*.py") if path.stat().st_size]
        by_folder: dict[Path, int] = {}
        for path in files:
            by_folder[path.parent] = by_folder.get(path.parent, 0) + 1
        modules = graph.modules

        def imported(module: str) -> set[str]:
            return graph.find_modules_directly_imported_by(module) - {module}

        def folder_of(module: str) -> str:
            path = root / module.replace(".", "/")
            return module if path.is_dir() or module.count(".") < 2 else module.rpartition(".")[0]

        folders = {folder_of(module) for module in modules}

        def folders_imported(folder: str) -> set[str]:
            inside = [module for module in modules if folder_of(module) == folder]
            return {folder_of(each) for module in inside for each in imported(module)} - {folder}

        print(
            row.format(
                name,
                len(files),
                len(by_folder),
                max(by_folder.values()),
                longest_chain(modules, imported) or "circle",
                longest_chain(folders, folders_imported) or "circle",
            )
        )


if __name__ == "__main__":
    main()
