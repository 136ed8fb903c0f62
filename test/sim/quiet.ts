/** A simulated node that nobody can hear does what its pods need, and no more: each time that it wakes costs power. */
import type { Device } from './device.js';
import type { SimulatedFleet } from './simulated-fleet.js';

const LOOKED_AT_MS = 300_000;
/** Of an agent with up to three pods, calls of its engine and attempts to connect included; about 26 are usual. */
const WAKES_MAX = 90;

/** Its line has been cut for minutes. Nothing is said of one that dies on the way. */
export async function judgeQuiet(fleet: SimulatedFleet, device: Device): Promise<void> {
  const { actor } = device;
  const before = actor?.events ?? 0;
  await fleet.pass(LOOKED_AT_MS);
  if (actor === null || actor.isDead) return;
  const each = (60_000 * (actor.events - before)) / LOOKED_AT_MS;
  fleet.trace(`${device.name} wakes ${each} times a minute`);
  if (each > WAKES_MAX) fleet.breaks(`${device.name} has no line and wakes ${each} times a minute`);
}
