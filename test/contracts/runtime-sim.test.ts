/** The simulated engine keeps the container runtime contract. */
import type { Clock } from '../../protocol/ports.js';
import { SimulatedEngine, type ExecProgram, type Program } from '../sim/engine.js';
import { SimulatedRuntime } from '../sim/runtime.js';
import { EXEC, execContract } from './runtime-exec.contract.js';
import { imagesContract } from './runtime-images.contract.js';
import { runtimeContract } from './runtime.contract.js';
import { SCRIPT, type RuntimeSubject } from './runtime-case.js';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async () => undefined,
};

const program: Program = spec => {
  const script = spec.command?.[2];
  if (spec.command?.[0] !== '/bin/sh') {
    return {
      kind: 'cannotStart',
      message: `${spec.command?.[0] ?? ''}: no such file or directory`,
    };
  }
  if (script === SCRIPT.exits3) return { kind: 'exits', code: 3 };
  if (script === SCRIPT.exits0) return { kind: 'exits', code: 0 };
  if (script === SCRIPT.obeys) return { kind: 'runs', output: ['ready'] };
  if (script === SCRIPT.speaks) return { kind: 'runs', output: ['one', 'two', 'three'] };
  return { kind: 'runs', ignoresTerm: script === SCRIPT.ignoresTerm };
};

const execProgram: ExecProgram = (_spec, command) => {
  switch (command) {
    case EXEC.fails:
      return { exitCode: 4, output: 'out\nerr\n' };
    case EXEC.hangs:
      return { exitCode: 0, output: 'before\n', takesMs: 98_765_000 };
    case EXEC.counts:
      return { exitCode: 0, output: '0\n' };
    case EXEC.floods:
      return { exitCode: 0, output: '0123456789\n'.repeat(3000) };
    case EXEC.leavesChild:
      return { exitCode: 0, output: 'done\n' };
    default:
      return { exitCode: 127, output: 'not found' };
  }
};

const PUBLISHED = 'registry/open:1';
const HIDDEN = 'registry/hidden:1';
const AUTH = { username: 'fleet', password: 'open sesame', serverAddress: '' };

const open = (): RuntimeSubject => {
  const engine = new SimulatedEngine(clock);
  engine.program = program;
  engine.execProgram = execProgram;
  engine.addImage('flotilla.dev/test:1');
  engine.registry.add(PUBLISHED).add(HIDDEN);
  engine.passwords.set(HIDDEN, AUTH.password);
  const dead = new SimulatedEngine(clock);
  dead.up = false;
  let port = 40_000;
  return {
    runtime: new SimulatedRuntime(engine, 'own'),
    again: () => new SimulatedRuntime(engine, 'own'),
    stranger: () => new SimulatedRuntime(engine, 'other'),
    down: () => new SimulatedRuntime(dead, 'own'),
    image: 'flotilla.dev/test:1',
    killSandbox: id => engine.killSandbox(id),
    freePort: async () => port++,
    names: () => [],
    close: () => undefined,
  };
};

runtimeContract('simulated engine', open);
execContract('simulated engine', open);
imagesContract('simulated engine', () =>
  Promise.resolve({ ...open(), published: PUBLISHED, hidden: HIDDEN, auth: AUTH }),
);
