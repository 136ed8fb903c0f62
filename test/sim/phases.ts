/** How far a simulated node is, and which faults befell whom how far: what the seeds of a suite reach. */
import type { BundleState } from '../../protocol/documents/node.js';
import type { Device } from './device.js';
import { PHASES, type Phase } from './mix.js';

const PHASE_OF: Readonly<Record<BundleState, Phase>> = {
  staged: 'fetching',
  waiting: 'fetching',
  activating: 'switching',
  removing: 'switching',
  progressing: 'proving',
  healthy: 'healthy',
  failed: 'given up',
  rolledBack: 'given up',
};

/** The least settled goes before the rest. */
const UNSETTLED: readonly Phase[] = ['switching', 'proving', 'fetching', 'given up', 'healthy'];

/** `wanted`: digests that every node is to have. */
export function phaseOf({ life, ...device }: Seen, wanted: Iterable<string>): Phase {
  if (!life || !device.isUp) return 'away';
  const accepted = life.journal.accepted();
  if (accepted === null) return 'beginning';
  const digests = new Set(accepted.document.bundles.map(({ digest }) => digest));
  for (const digest of wanted) if (!digests.has(digest)) return 'told';
  const found = new Set(life.journal.bundles().map(({ state }) => PHASE_OF[state]));
  return UNSETTLED.find(phase => found.has(phase)) ?? 'healthy';
}

interface Seen {
  readonly life: Device['life'];
  readonly isUp: boolean;
}

/** Counts by fault and phase, a line for each fault; and how many pairs there are none of. */
export function coverageTable(
  reached: ReadonlyMap<string, number>,
  faults: readonly string[],
): string[] {
  const width = Math.max(...faults.map(({ length }) => length));
  const count = (fault: string, phase: Phase) => reached.get(`${fault} ${phase}`) ?? 0;
  const cells = (texts: readonly string[]) =>
    texts.map((text, i) => text.padStart((PHASES[i] ?? '').length + 2)).join('');
  const missing = faults.flatMap(fault => PHASES.filter(phase => count(fault, phase) === 0));
  return [
    `${' '.repeat(width)}${cells(PHASES)}`,
    ...faults.map(
      fault => fault.padEnd(width) + cells(PHASES.map(phase => String(count(fault, phase)))),
    ),
    `${faults.length * PHASES.length - missing.length} of ${faults.length * PHASES.length} pairs of fault and moment`,
  ];
}
