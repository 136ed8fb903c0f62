/**
 * Puts the parts of this room together over one engine and one data directory: the prober with its memory, and the hooks.
 * Nothing is decided here.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { HookRunner } from '../pods/health.js';
import type { ContainerExec } from '../runtime/exec.js';
import { openHookRunner } from './hooks.js';
import { openProbeRun } from './probe.js';
import { openProber, type CountingProber } from './prober.js';
import { openProbeMemory } from './remembered.js';

export interface ProbesOptions {
  readonly containers: ContainerExec;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
}

export interface Probes {
  readonly prober: CountingProber;
  readonly hooks: HookRunner;
  /** No probe after this; what was said last is written down. */
  close(): Promise<void>;
}

export function openProbes(options: ProbesOptions): Probes {
  const { containers, dataDir, clock, log, random } = options;
  const memory = openProbeMemory({ dataDir, clock, log });
  const prober = openProber({
    run: openProbeRun({ containers, clock }),
    clock,
    log,
    random,
    remembered: (id, startedAt) => memory.remembered(id, startedAt),
  });
  const endMemory = memory.follow(prober);
  return {
    prober,
    hooks: openHookRunner({ containers, clock }),
    async close() {
      await endMemory();
      await prober.stop();
    },
  };
}
