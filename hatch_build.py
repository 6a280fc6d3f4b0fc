"""Build hook of hatchling: compiles the kernel into the wheel, where there is a compiler.

Without one the wheel is that of Python alone, and scores are computed by numpy.
"""

from __future__ import annotations

import importlib.util
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def load_build(root: Path) -> ModuleType:
    """Import ``native/build.py``, which is in no package."""
    spec = importlib.util.spec_from_file_location("native_build", root / "native" / "build.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{root / 'native' / 'build.py'} is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativeHook(BuildHookInterface[Any]):
    """Compile `anomvae.native`'s library."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the library to a wheel; an editable one has it beside the Python modules."""
        root = Path(self.root)
        build = load_build(root)
        self._folder = tempfile.TemporaryDirectory()
        folder = root / "anomvae" if version == "editable" else Path(self._folder.name)
        try:
            (folder / build.LIBRARY).unlink(missing_ok=True)  # an older one, if this one fails
            library = build.build(folder)
        except (build.NoCompiler, OSError) as error:  # a folder that cannot be written is no reason
            self.app.display_warning(f"Scoring will be slower, by numpy alone: {error}")
            return
        if version != "editable":
            build_data["force_include"][str(library)] = f"anomvae/{library.name}"
            build_data["pure_python"] = False
            system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{system}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for a wheel."""
        self._folder.cleanup()
