import pytest

from t2t_lite.errors import UserError
from t2t_lite.registry import Registry, import_user_dir


def test_register_get_and_describe():
    registry = Registry("fruit")

    @registry.register("apple")
    def apple():
        """A round one."""
        return 3

    registry.add("pear", lambda: 4, "A long one.")
    assert registry.get("apple")() == 3
    assert registry.names() == ["apple", "pear"]
    assert registry.describe("apple") == "A round one."
    assert registry.table() == "  apple  A round one.\n  pear   A long one."


def test_unknown_name_suggests():
    registry = Registry("fruit")
    registry.add("apple", lambda: 3, "")
    with pytest.raises(UserError, match=r"unknown fruit 'aple' .*'apple'"):
        registry.get("aple")


def test_duplicate_names_both_modules():
    registry = Registry("fruit")
    registry.add("apple", test_register_get_and_describe, "")
    with pytest.raises(ValueError, match=r"twice: in tests\..* and in t2t_"):
        registry.add("apple", import_user_dir, "")


def test_user_dir_must_exist_and_import(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        import_user_dir(str(tmp_path / "none"))
    with pytest.raises(UserError, match="holds no Python module"):
        import_user_dir(str(tmp_path))
    (tmp_path / "broken_user_module.py").write_text("import nothing_here\n")
    with pytest.raises(UserError, match=r"ModuleNotFoundError.*nothing_here"):
        import_user_dir(str(tmp_path))
    (tmp_path / "broken_user_module.py").write_text("\n\nwrong_name\n")
    with pytest.raises(
        UserError, match=r"NameError.*broken_user_module\.py, line 3\)$"
    ):
        import_user_dir(str(tmp_path))
