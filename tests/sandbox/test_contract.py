"""What every sandbox promises, inherited by a test class per implementation."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sandbox.base import Level, Limits, SandboxFault, Verdict
from sandbox.inprocess import InProcessSandbox

GUEST = """
import numpy as np

def start(program):
    def step(scalars, arrays):
        result = program.step(*scalars, *arrays)
        if not isinstance(result, np.ndarray):
            raise BadResult(f"step: expected an array, got {type(result).__name__}")
        return (result,)

    return {
        "step": step,
        "echo": lambda scalars, arrays: arrays,
        "scalars": lambda scalars, arrays: (np.array(scalars),),
        "ask": lambda scalars, arrays: callback("twice", scalars, arrays),
        "ask_unknown": lambda scalars, arrays: callback("nothing", (), ()),
        "list": lambda scalars, arrays: [[1.0]],
        "nothing": lambda scalars, arrays: None,
    }
"""
LIMITS = Limits(cpu_s=5.0, wall_s=30.0, call_wall_s=10.0)
IDENTITY = "def step(x):\n    return x\n"


def returning(expression: str) -> str:
    return f"import numpy as np\ndef step(x):\n    return {expression}\n"


class SandboxContract:
    """Subclasses provide the fixture `sandbox`."""

    def open(self, sandbox, program=IDENTITY, *, shared_bytes=1 << 16, **options):
        return sandbox.open(GUEST, program, limits=LIMITS, shared_bytes=shared_bytes, **options)

    def fault(self, sandbox, program, name="step", arrays=None, **options) -> SandboxFault:
        """The fault that the program ends with; the sandbox must serve another session afterwards."""
        session = None
        arrays = (np.ones(3),) if arrays is None else arrays
        with pytest.raises(SandboxFault) as caught:
            session = self.open(sandbox, program, **options)
            session.call(name, (), arrays)
        if session is not None:
            with pytest.raises(RuntimeError, match="after a fault"):
                session.call(name)
            assert session.close() == session.close()
        self.works(sandbox)
        assert len(caught.value.message) <= 2000
        return caught.value

    def works(self, sandbox) -> None:
        session = self.open(sandbox)
        (result,) = session.call("step", (), (np.arange(3.0),))
        assert result.tolist() == [0.0, 1.0, 2.0]
        session.close()

    @pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
    @pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3), (2, 0, 3), (2, 3, 4, 5)])
    def test_arrays_come_back_as_they_went(self, sandbox, dtype, shape):
        session = self.open(sandbox)
        values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        first, second = session.call("echo", (), (values, values))
        session.close()
        for result in (first, second):
            assert result.dtype == values.dtype
            assert result.shape == values.shape
            assert np.array_equal(result, values)

    def test_shapes_may_change_from_call_to_call(self, sandbox):
        session = self.open(sandbox)
        for size in (3, 5, 3, 0, 5):
            (result,) = session.call("echo", (), (np.full(size, float(size)),))
            assert result.tolist() == [float(size)] * size
        session.close()

    def test_scalars_are_exact(self, sandbox):
        session = self.open(sandbox)
        values = (0.1, -0.0, 1e308, float("inf"), 7, 2**53)
        (result,) = session.call("scalars", values)
        assert result.tolist() == list(values)
        session.close()

    def test_results_are_copies(self, sandbox):
        session = self.open(sandbox)
        (first,) = session.call("echo", (), (np.ones(4),))
        (second,) = session.call("echo", (), (np.zeros(4),))
        first[0] = 7.0
        assert (first.tolist(), second.tolist()) == ([7.0, 1.0, 1.0, 1.0], [0.0] * 4)
        session.close()

    def test_a_program_keeps_its_state_within_a_session_only(self, sandbox):
        counting = "count = [0]\ndef step(x):\n    count[0] += 1\n    x = x * 0 + count[0]\n    return x\n"
        for _ in range(2):
            session = self.open(sandbox, counting)
            seen = [session.call("step", (), (np.zeros(1),))[0][0] for _ in range(3)]
            session.close()
            assert seen == [1.0, 2.0, 3.0]

    def test_dataclasses_with_postponed_annotations_work(self, sandbox):
        program = (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass State:\n    n: int = 2\ndef step(x):\n    return x * State().n\n"
        )
        session = self.open(sandbox, program)
        assert session.call("step", (), (np.ones(1),))[0].tolist() == [2.0]
        session.close()

    def test_usage_has_costs_and_log(self, sandbox):
        session = self.open(
            sandbox, "def step(x):\n    print('a\\x1b[31m line')\n    print('end', end='')\n    return x\n"
        )
        session.call("step", (), (np.ones(1),))
        usage = session.close()
        assert usage.log == "a [31m line\nend"
        assert 0 < usage.cpu_s < 5
        assert 0 < usage.wall_s < 30
        assert session.close() == usage

    def draws(self, sandbox, seed) -> list[float]:
        """Numbers that a program draws while it is loaded and in two calls, and between them the caller."""
        program = (
            "import random, numpy as np\n"
            "first = [random.random(), np.random.random(), *np.random.permutation(20)]\n"
            "def step(x):\n    return np.array([*first, random.gauss(0, 1), *np.random.normal(size=4)])\n"
        )
        session = self.open(sandbox, program, seed=seed)
        found = session.call("step", (), (np.ones(1),))[0].tolist()
        np.random.random(7)
        random.random()
        found += session.call("step", (), (np.ones(1),))[0].tolist()
        session.close()
        return found

    def test_a_seed_decides_what_the_global_generators_draw(self, sandbox):
        seeds = (0, 1, 2, 2**31, 2**32, 2**32 + 1, 2**64 - 1)
        drawn = [self.draws(sandbox, seed) for seed in seeds]
        assert drawn == [self.draws(sandbox, seed) for seed in seeds]
        for draws in ([each[k] for each in drawn] for k in (0, 1, 22, 23, 24)):
            assert len(set(draws)) == len(seeds)

    def test_every_kind_of_sandbox_draws_the_same_from_a_seed(self, sandbox):
        expected = [random.Random(5).random(), np.random.RandomState((5, 0)).random_sample()]
        assert self.draws(sandbox, 5)[:2] == expected

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_a_seed_out_of_range_is_the_callers_error(self, sandbox, seed):
        with pytest.raises(ValueError, match=r"seed: expected None or 0 <= seed < 2\*\*64; got"):
            self.open(sandbox, seed=seed)
        self.works(sandbox)

    def test_one_session_at_a_time(self, sandbox):
        session = self.open(sandbox)
        with pytest.raises(RuntimeError, match="one session at a time"):
            self.open(sandbox)
        session.close()
        self.works(sandbox)

    @pytest.mark.parametrize(
        "bad",
        [[1.0], np.ones(2, complex), np.array(["a"]), np.array([None]), np.ones((1,) * 5), np.ones(2, ">f8")],
    )
    def test_wrong_arguments_are_the_callers_error(self, sandbox, bad):
        session = self.open(sandbox)
        with pytest.raises((ValueError, AttributeError)):
            session.call("echo", (), (bad,))
        session.close()

    def test_arguments_beyond_the_room_are_the_callers_error(self, sandbox):
        session = self.open(sandbox, shared_bytes=1000)
        with pytest.raises(ValueError, match="bytes of shared memory"):
            session.call("echo", (), (np.ones(100_000),))
        session.close()

    def test_callbacks_reach_the_caller(self, sandbox):
        heard = []

        def twice(scalars, arrays):
            heard.append((scalars, [a.tolist() for a in arrays]))
            return [2 * a for a in arrays]

        session = self.open(sandbox, callbacks={"twice": twice})
        for size in (2, 2, 3):
            (result,) = session.call("ask", (1.5,), (np.full(size, 3.0),))
            assert result.tolist() == [6.0] * size
        session.close()
        assert heard[0] == ((1.5,), [[3.0, 3.0]])

    def test_an_error_of_a_callback_is_the_callers(self, sandbox):
        def twice(scalars, arrays):
            raise LookupError("the caller's own")

        session = self.open(sandbox, callbacks={"twice": twice})
        with pytest.raises(LookupError, match="the caller's own"):
            session.call("ask", (), (np.ones(1),))
        session.close()
        self.works(sandbox)

    def test_an_unknown_callback_is_named(self, sandbox):
        fault = self.fault(sandbox, IDENTITY, "ask_unknown", callbacks={"twice": lambda s, a: a})
        assert fault.verdict is Verdict.BAD_RESULT
        assert fault.message == "callback: expected one of twice; got 'nothing'"

    def test_an_unknown_handler_is_named(self, sandbox):
        fault = self.fault(sandbox, IDENTITY, "stop")
        assert fault.verdict is Verdict.BAD_RESULT
        assert "expected one of step, echo" in fault.message

    def test_an_exception_names_the_programs_line(self, sandbox):
        program = "def helper(x):\n    return x[7]\n\ndef step(x):\n    return helper(x)\n"
        fault = self.fault(sandbox, program)
        assert fault.verdict is Verdict.EXCEPTION
        assert fault.message == (
            "IndexError: index 7 is out of bounds for axis 0 with size 3 (program.py, line 2: `return x[7]`)"
        )

    def test_a_program_that_does_not_parse(self, sandbox):
        fault = self.fault(sandbox, "def step(x):\n    return x +\n")
        assert fault.message == "SyntaxError: invalid syntax (program.py, line 2: `return x +`)"

    def test_a_program_whose_top_level_fails(self, sandbox):
        fault = self.fault(sandbox, "import math\nmath.sqrt(-1)\n")
        assert fault.verdict is Verdict.EXCEPTION
        assert fault.message.endswith("(program.py, line 2: `math.sqrt(-1)`)")

    @pytest.mark.parametrize(
        ("program", "verdict", "message"),
        [
            (
                "def step(x):\n    raise SystemExit(3)\n",
                Verdict.EXCEPTION,
                "SystemExit: 3 (program.py, line 2",
            ),
            (
                "def step(x):\n    raise KeyboardInterrupt\n",
                Verdict.EXCEPTION,
                "KeyboardInterrupt (program.py",
            ),
            ("def step(x):\n    raise MemoryError\n", Verdict.MEMORY, "MemoryError (program.py, line 2"),
            ("def step(x):\n    return 3\n", Verdict.BAD_RESULT, "step: expected an array, got int"),
            (returning("x + 1j"), Verdict.BAD_RESULT, "step: result 0: expected dtype float64, float32"),
            (returning("np.array([None])"), Verdict.BAD_RESULT, "got object"),
            (returning("np.ones((1,) * 5)"), Verdict.BAD_RESULT, "expected at most 4 dimensions, got 5"),
            (returning("np.ones(1 << 20)"), Verdict.OUTPUT_LIMIT, "bytes of shared memory, got at least"),
            (returning("x / undefined"), Verdict.EXCEPTION, "NameError: name 'undefined' is not defined"),
            ("import pyspiel_no\n", Verdict.EXCEPTION, "module pyspiel_no is not available in the sandbox"),
        ],
    )
    def test_verdicts(self, sandbox, program, verdict, message):
        fault = self.fault(sandbox, program)
        assert fault.verdict is verdict
        assert message in fault.message

    @pytest.mark.parametrize("name", ["list", "nothing"])
    def test_a_guest_must_return_arrays(self, sandbox, name):
        fault = self.fault(sandbox, IDENTITY, name)
        assert fault.verdict is Verdict.BAD_RESULT
        assert "expected a" in fault.message

    def test_messages_are_short_and_without_control_characters(self, sandbox):
        program = "def step(x):\n    raise ValueError('\\x1b[2J\\x00' + 'y' * 10**7)\n"
        fault = self.fault(sandbox, program)
        assert len(fault.message) <= 2000
        assert fault.message.startswith("ValueError:  [2J yyy")
        assert fault.message.endswith(
            "(program.py, line 2: `raise ValueError('\\x1b[2J\\x00' + 'y' * 10**7)`)"
        )

    def test_an_error_that_cannot_be_shown(self, sandbox):
        program = (
            "class E(Exception):\n    def __str__(self):\n        raise self\ndef step(x):\n    raise E\n"
        )
        assert "E: (its __str__ failed) (program.py, line 5" in self.fault(sandbox, program).message


class TestInProcess(SandboxContract):
    @pytest.fixture
    def sandbox(self):
        with InProcessSandbox() as sandbox:
            yield sandbox

    def test_level(self, sandbox):
        assert sandbox.level is Level.NONE

    def test_a_seed_does_not_touch_the_callers_generators(self, sandbox):
        def twice(scalars, arrays):
            drawn.append((random.random(), np.random.random()))
            return arrays

        random.seed(3)
        np.random.seed(3)
        expected = [(random.random(), np.random.random()) for _ in range(4)]
        random.seed(3)
        np.random.seed(3)
        drawn = [(random.random(), np.random.random())]
        session = self.open(sandbox, "import random\nrandom.random()\n", callbacks={"twice": twice}, seed=8)
        drawn.append((random.random(), np.random.random()))
        session.call("ask", (), (np.ones(1),))
        session.close()
        drawn.append((random.random(), np.random.random()))
        assert drawn == expected

    def test_a_faulty_program_leaves_the_callers_generators_alone(self, sandbox):
        before = random.getstate()
        self.fault(sandbox, "import random\ndef step(x):\n    random.random()\n    1 / 0\n", seed=8)
        assert random.getstate() == before

    def test_a_question_with_what_are_no_numbers_is_the_insides_error(self, sandbox):
        guest = "def start(program):\n    return {'f': lambda s, a: callback('twice', ('one',))}\n"
        session = sandbox.open(
            guest, IDENTITY, limits=LIMITS, shared_bytes=64, callbacks={"twice": lambda s, a: a}
        )
        with pytest.raises(SandboxFault, match="could not convert string to float"):
            session.call("f")
        session.close()

    def test_leaves_no_module_behind(self, sandbox):
        import sys

        self.works(sandbox)
        assert "program" not in sys.modules


class TestProcess(SandboxContract):
    @pytest.fixture
    def sandbox(self, runner):
        return runner

    def test_level(self, sandbox):
        assert sandbox.level >= Level.RLIMITS
        assert set(sandbox.layers) == {"limits", "landlock", "seccomp", "namespaces"}


class TestStream(SandboxContract):
    @pytest.fixture
    def sandbox(self, streamed):
        return streamed


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
class TestGvisor(SandboxContract):
    @pytest.fixture
    def sandbox(self, gvisor):
        return gvisor

    def test_level(self, sandbox):
        assert sandbox.level is Level.GVISOR
        assert (sandbox.layers["seccomp"], sandbox.layers["kernel"]) == ("on", "on: its own")


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
class TestDocker(SandboxContract):
    @pytest.fixture
    def sandbox(self, container):
        return container

    def test_level(self, sandbox):
        assert sandbox.level is Level.DOCKER
        assert sandbox.layers["namespaces"] == "none: not asked for"


def test_levels_have_labels_that_parse():
    assert [level.label for level in Level] == ["none", "rlimits", "kernel", "kernel+ns", "docker", "gvisor"]
    assert all(Level.parse(level.label) is level for level in Level)
    with pytest.raises(ValueError, match="expected one of none, rlimits"):
        Level.parse("perfect")
