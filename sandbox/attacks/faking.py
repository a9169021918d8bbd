"""Lists attacks that crash, forge results, or tamper with what runs in their own process."""

from __future__ import annotations

from sandbox.attacks.base import CONTAINED, OK, Attack
from sandbox.base import Level, Verdict

_BAD, _CRASH, _ERROR = Verdict.BAD_RESULT, Verdict.CRASH, Verdict.EXCEPTION
_ANY = Level.RLIMITS

FAKING = (
    Attack(22, "forged giant", "import struct\nbody = bytes([0, 0, 1, 1, 2]) + struct.pack('<QQ', 2**40, 2**40)\n"
           "os.write(4, b'R' + struct.pack('<H', len(body)) + body)\nreturn True", Verdict.OUTPUT_LIMIT, since=_ANY),
    Attack(53, "kill itself by SIGSEGV", "os.kill(os.getpid(), 11)\nreturn True", _CRASH, "SIGSEGV", since=_ANY),
    Attack(53, "kill itself", "os.kill(os.getpid(), 9)\nreturn True", _CRASH, "SIGKILL", since=_ANY),
    Attack(53, "abort", "os.abort()", _CRASH, "SIGABRT", since=_ANY),
    Attack(53, "null pointer", "return bool(ctypes.string_at(0))", _CRASH, "SIGSEGV", since=_ANY),
    Attack(54, "exit as success", "os._exit(0)", Verdict.NO_RESULT, "exited with status 0", since=_ANY),
    Attack(54, "sys.exit", "import sys\nsys.exit(0)", _ERROR, "SystemExit: 0", since=_ANY),
    Attack(55, "act after returning", "import threading, time\n"
           "def later():\n    time.sleep(0.3)\n    os.write(4, b'nonsense')\n    open(MARKER, 'w')\n"
           "threading.Thread(target=later).start()\nreturn True", OK, since=_ANY),
    Attack(55, "act at the end", "import atexit\natexit.register(os.write, 4, b'nonsense')\nreturn True",
           OK, since=_ANY),
    Attack(56, "raise KeyboardInterrupt", "raise KeyboardInterrupt", _ERROR, "KeyboardInterrupt", since=_ANY),
    Attack(56, "error that cannot be shown", "class E(BaseException):\n    def __str__(self): raise self\nraise E",
           _ERROR, "its __str__ failed", since=_ANY),
    Attack(57, "forged result", "os.write(4, b'R\\x0d\\x00\\x00\\x00\\x01\\x01\\x01\\x01' + bytes(7))\n"
           "import time\ntime.sleep(9)", OK, since=_ANY),
    Attack(58, "forged nonsense", "os.write(4, b'nonsense')\nreturn True", _BAD, "token", since=_ANY),
    Attack(58, "forged type", "os.write(4, b'R\\x05\\x00\\x00\\x00\\x01\\x63\\x00')\nreturn True", _BAD, "dtype",
           since=_ANY),
    Attack(58, "forged dimensions", "os.write(4, b'R\\x05\\x00\\x00\\x00\\x01\\x01\\xff')\nreturn True", _BAD, "ndim",
           since=_ANY),
    Attack(58, "forged verdict", "os.write(4, b'E\\x01\\x00\\x09')\nreturn True", _BAD, "verdict", since=_ANY),
    Attack(58, "forged callback", "os.write(4, b'Q\\x04\\x00\\x01\\x00\\x00z')\nreturn True", _BAD, since=_ANY),
    Attack(58, "closed channel", "import time\nos.closerange(3, 99)\ntime.sleep(99)", Verdict.NO_RESULT, "closed its",
           since=_ANY),
    Attack(59, "print the protocol", "print('R\\x0d\\x00', {'status': 0, 'cpu_s': 0.0})\nreturn True", OK, since=_ANY),
    Attack(60, "write to the runner", "return through(os.write, 0, b'{}')", CONTAINED, since=_ANY),
    Attack(61, "array in disguise", "class A:\n    def __array__(self, *a, **k): return np.ones(1)\nreturn A()", _BAD,
           "expected a number or an array, got A", since=_ANY),
    Attack(61, "subclass of an array", "class A(np.ndarray):\n    def __eq__(self, other): return True\n"
           "return np.ones(1).view(A)", OK, since=_ANY),
    Attack(62, "object array", "return np.array([object()])", _BAD, "got object", since=_ANY),
    Attack(62, "no array", "return 'score'", _BAD, "expected a number or an array, got str", since=_ANY),
    Attack(63, "pickle as a result", "import pickle\nclass E:\n    def __reduce__(self): return open, (MARKER, 'w')\n"
           "return np.frombuffer(pickle.dumps(E()), np.uint8)", OK, since=_ANY),
    Attack(64, "patch numpy and modules",
           "import math, sys\nnp.sum = lambda *a: 42.0\nmath.mark = 1\nsys.modules['mark'] = math\nreturn True", OK,
           trace="import math, sys\nreturn np.sum(np.ones(2)) == 42 or hasattr(math, 'mark') or 'mark' in sys.modules",
           since=_ANY),
    Attack(65, "find the scorer", "import sys\nours = {'evaluators', 'evolve', 'results', 'seeds', 'pyspiel'}\n"
           "main = sys.modules.get('__main__')\n"
           "return any(m.split('.')[0] in ours for m in sys.modules) or hasattr(main, 'score')", CONTAINED, since=_ANY),
    Attack(66, "walk the frames", "import sys\nframe, seen = sys._getframe(), set()\n"
           "while frame: seen |= {type(v).__name__ for v in frame.f_locals.values()}; frame = frame.f_back\n"
           "return bool(seen & {'socket', 'Runner', 'Prepared', 'Log'})", CONTAINED, since=_ANY),
    Attack(66, "walk the heap", "import gc\n"
           "return any(isinstance(v, str) and v.startswith('sk-') and len(v) == 27\n"
           "           for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values()))", CONTAINED,
           since=_ANY),
    Attack(70, "stop the clocks", "import time\nfor n in ('time', 'perf_counter', 'monotonic', 'process_time'):\n"
           "    setattr(time, n, lambda: 0.0)\nreturn True", OK, trace="import time\nreturn time.perf_counter() == 0.0",
           since=_ANY),
    Attack(71, "hook that resists", "import sys\ndef hook(*a): raise RuntimeError\nsys.addaudithook(hook)\n"
           "while True: pass", Verdict.CPU_LIMIT, since=_ANY),
)  # fmt: skip
