/** The simulated engine keeps the container runtime contract. */
import type { Clock } from '../../protocol/ports.js';
import { SimulatedEngine, SimulatedRuntime, type Program } from '../sim/engine.js';
import { runtimeContract, SCRIPT } from './runtime.contract.js';

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
  if (script === SCRIPT.speaks) return { kind: 'runs', output: ['one', 'two', 'three'] };
  return { kind: 'runs', ignoresTerm: script === SCRIPT.ignoresTerm };
};

runtimeContract('simulated engine', () => {
  const engine = new SimulatedEngine(clock);
  engine.program = program;
  engine.addImage('flotilla.dev/test:1');
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
});
