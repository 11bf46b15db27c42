"""What BertViz lets a person do, driven in attnlab: a table with a module for each view."""

import pytest

# pytest explains the assertions of test files only.
pytest.register_assert_rewrite("tests.web.bertviz.head_view")
pytest.register_assert_rewrite("tests.web.bertviz.model_view")
pytest.register_assert_rewrite("tests.web.bertviz.neuron_view")
