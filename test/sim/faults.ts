/**
 * What befalls a simulated fleet: drawn by the history's own numbers, each with a beginning and an end, all of them over
 * when `mendAll` was called.
 */
import { NO_TROUBLE } from './broker.js';
import { IMAGES } from './content.js';
import type { Device } from './device.js';
import { OWNER } from './engine-line.js';
import type { SimulatedFleet } from './simulated-fleet.js';

type Fault = (fleet: SimulatedFleet, device: Device) => void;

const DAY_MS = 86_400_000;

/** What a bad network does to messages all the time. */
const AMBIENT = { lost: 0.06, twice: 0.06, late: 0.1 };

function drawn<T>(fleet: SimulatedFleet, from: readonly T[]): T {
  return from[Math.floor(fleet.random() * from.length)] as T;
}

/** After a while, on behalf of nobody who could die. */
function later(fleet: SimulatedFleet, maxMs: number, work: () => void): void {
  fleet.scheduler.after(Math.floor(fleet.random() * maxMs), fleet.person, work);
}

const FAULTS: Readonly<Record<string, Fault>> = {
  cutNode(fleet, { name }) {
    fleet.broker.cut(name, fleet.random() < 0.5);
    later(fleet, 200_000, () => fleet.broker.mend(name));
  },
  cutHub(fleet) {
    fleet.broker.cut('flotilla-hub', fleet.random() < 0.5);
    later(fleet, 100_000, () => fleet.broker.mend('flotilla-hub'));
  },
  troubledMessages(fleet) {
    const chance = () => (fleet.random() < 0.5 ? fleet.random() * 0.4 : 0);
    fleet.broker.trouble = { lost: chance(), twice: chance(), late: chance() };
    later(fleet, 200_000, () => {
      if (!fleet.isMended) fleet.broker.trouble = AMBIENT;
    });
  },
  brokerRestarts(fleet) {
    fleet.broker.stop({ forgets: drawn(fleet, ['nothing', 'everything', 'unsaved'] as const) });
    later(fleet, 60_000, () => fleet.broker.start());
  },
  hubDies(fleet) {
    fleet.hubActor?.die();
  },
  hubDiesAtStep(fleet) {
    const { hubActor } = fleet;
    if (hubActor) hubActor.diesAt = hubActor.steps + 1 + Math.floor(fleet.random() * 20) / 2;
  },
  agentDies(_fleet, device) {
    device.kill();
  },
  agentDiesAtStep(fleet, { actor }) {
    if (actor) actor.diesAt = actor.steps + 1 + Math.floor(fleet.random() * 60) / 2;
  },
  agentRestarts(fleet, device) {
    const { actor } = device;
    if (!actor || !device.isUp()) return;
    fleet.scheduler.after(0, actor, () => {
      void device.end().then(() => later(fleet, 5_000, () => device.start()));
    });
  },
  machineRestarts(fleet, device) {
    if (fleet.random() < 0.5) device.clockOffMs = -fleet.wallNow();
    device.reboot();
  },
  journalIsLost(fleet, device) {
    device.loseJournal(fleet.random() < 0.5);
  },
  clockJumps(fleet, device) {
    const offMs = Math.floor((fleet.random() - 0.5) * 2_000 * DAY_MS);
    device.clockOffMs = fleet.random() < 0.3 ? -fleet.wallNow() : offMs;
  },
  engineFails(fleet, device) {
    device.disturbed();
    device.hadEngineTrouble = true;
    device.engineFails = fleet.random() * 0.6;
    device.answersLost = fleet.random() * 0.3;
    device.slowMs = fleet.random() * 2_000;
    later(fleet, 100_000, () => calmEngine(device));
  },
  engineIsAway(fleet, device) {
    device.disturbed();
    device.engine.up = false;
    device.engine.emit(OWNER, { podUid: '', containerId: '', action: 'die' });
    later(fleet, 60_000, () => (device.engine.up = true));
  },
  engineLosesContainers(_fleet, device) {
    device.disturbed();
    device.engine.containers.clear();
    device.engine.sandboxes.clear();
  },
  containerEnds(fleet, device) {
    const all = [...device.engine.containers.values()].filter(({ state }) => state === 'running');
    if (all.length === 0) return;
    device.disturbed();
    device.engine.exitContainer(drawn(fleet, all).id, 137);
  },
  registryFails(fleet, device) {
    device.engine.registry.clear();
    later(fleet, 150_000, () => fillRegistry(device));
  },
  diskIsFull(fleet, device) {
    device.isDiskFull = true;
    later(fleet, 100_000, () => (device.isDiskFull = false));
  },
};

export const FAULT_NAMES = Object.keys(FAULTS);

/** This share of the networks are bad ones from the beginning. */
export function beginTrouble(fleet: SimulatedFleet, share = 0.5): void {
  if (fleet.random() < share) fleet.broker.trouble = AMBIENT;
}

export function befall(fleet: SimulatedFleet): void {
  const name = drawn(fleet, FAULT_NAMES);
  strike(fleet, name, drawn(fleet, fleet.devices));
}

/** This fault, this node. Of what befalls hub and broker the node tells how far the rollout is. */
export function strike(fleet: SimulatedFleet, name: string, device: Device): void {
  fleet.reached.push(`${name} ${fleet.phaseOf(device)}`);
  fleet.trace(`fault ${name} ${device.name}`);
  FAULTS[name]?.(fleet, device);
}

/** Everything works from now on. A clock that is wrong stays wrong: nobody sets it. */
export function mendAll(fleet: SimulatedFleet): void {
  fleet.trace('faults are over');
  fleet.isMended = true;
  fleet.broker.start();
  fleet.broker.trouble = NO_TROUBLE;
  fleet.broker.mend('flotilla-hub');
  if (fleet.hubActor) fleet.hubActor.diesAt = null;
  for (const device of fleet.devices) {
    fleet.broker.mend(device.name);
    device.isDiskFull = false;
    device.engine.up = true;
    calmEngine(device);
    fillRegistry(device);
    device.diesAfterSwitch = null;
    if (device.actor) device.actor.diesAt = null;
  }
}

function calmEngine(device: Device): void {
  device.disturbed();
  Object.assign(device, { engineFails: 0, answersLost: 0, slowMs: 0 });
}

function fillRegistry(device: Device): void {
  for (const image of IMAGES) device.engine.registry.add(image);
}
