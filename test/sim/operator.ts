/** What people do in between: at the hub and at the devices, drawn by the history's own numbers. */
import { hold, release } from '../../agent/site.js';
import { BUNDLES, contentOf, FATES, ZONES, type Content, type Fate } from './content.js';
import type { Device } from './device.js';
import { ADMIN } from './hub-life.js';
import type { SimulatedFleet } from './simulated-fleet.js';

type Act = (fleet: SimulatedFleet) => Promise<void> | void;

const NAMESPACE = 'default';

function drawn<T>(fleet: SimulatedFleet, from: readonly T[]): T {
  return from[Math.floor(fleet.random() * from.length)] as T;
}

function newContent(fleet: SimulatedFleet, fate: Fate, bundle: string): Content {
  const { random } = fleet;
  const nodeSelector = random() < 0.7 ? '' : `zone=${drawn(fleet, ZONES)}`;
  return contentOf({ bundle, fate, nodeSelector, random });
}

const apply: Act = async fleet => {
  const fate = fleet.random() < 0.6 ? 'good' : drawn(fleet, FATES);
  const content = newContent(fleet, fate, drawn(fleet, BUNDLES));
  fleet.trace(`apply ${content.bundle} ${[...content.pods.values()].join(' ')}`);
  await fleet.apply(content);
};

/** `rollout undo`: what was there at some time is applied again. */
const undo: Act = async fleet => {
  const former = [...fleet.revisions.values()];
  if (former.length === 0) return;
  const content = drawn(fleet, former);
  fleet.trace(`undo ${content.bundle} ${[...content.pods.values()].join(' ')}`);
  await fleet.apply(content);
};

const remove: Act = async fleet => {
  const name = drawn(fleet, BUNDLES);
  fleet.trace(`delete ${name}`);
  await fleet.byHub(({ bundles }) =>
    bundles.remove(ADMIN, { namespace: NAMESPACE, name, dryRun: false }),
  );
};

const retry: Act = async fleet => {
  const name = drawn(fleet, BUNDLES);
  fleet.trace(`retry ${name}`);
  await fleet.byHub(hub => hub.retry({ namespace: NAMESPACE, name }));
};

const relabel: Act = async fleet => {
  const { name } = drawn(fleet, fleet.devices);
  fleet.trace(`label ${name}`);
  await fleet.relabel(name);
};

const holdHere: Act = fleet => {
  const device = drawn(fleet, fleet.devices);
  const bundle = fleet.random() < 0.5 ? null : drawn(fleet, BUNDLES);
  atDevice(fleet, device, `hold ${bundle ?? 'all'}`, ({ journal }) =>
    hold(journal, { node: device.name, bundle, by: 'somebody', reason: 'stocktaking' }),
  );
};

const releaseHere: Act = fleet => releaseAll(fleet, drawn(fleet, fleet.devices));

const ACTS: readonly Act[] = [apply, apply, apply, apply, undo, undo, remove, retry, relabel];
const SITE_ACTS: readonly Act[] = [holdHere, releaseHere];

export async function act(fleet: SimulatedFleet): Promise<void> {
  await drawn(fleet, [...ACTS, ...SITE_ACTS])(fleet);
}

/** Something good to begin with, or of this fate. */
export async function first(fleet: SimulatedFleet, fate: Fate = 'good'): Promise<void> {
  await fleet.apply(newContent(fleet, fate, BUNDLES[0]));
}

export function releaseAll(fleet: SimulatedFleet, device: Device): void {
  atDevice(fleet, device, 'release', ({ journal }) =>
    release(journal, { node: device.name, bundle: null, by: 'somebody', reason: '' }),
  );
}

function atDevice(
  fleet: SimulatedFleet,
  device: Device,
  what: string,
  say: (life: NonNullable<Device['life']>) => unknown,
): void {
  const { actor, life } = device;
  if (!actor || !life || !device.isUp()) return;
  fleet.scheduler.after(0, actor, () => {
    fleet.trace(`${device.name} ${what}`);
    try {
      say(life);
    } catch (error) {
      // Refused: there is no such bundle, or the disk is full.
      fleet.trace(`refused: ${String(error)}`);
    }
    life.session.intake.look();
    life.session.changed();
  });
}
