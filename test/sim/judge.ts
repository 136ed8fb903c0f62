/**
 * What must be true of a fleet that has come to rest: each node is where the hub wants it, says so, and what it says is
 * so. Each thing that is not is a sentence; none: it has come to rest.
 */
import type { PodStatus } from 'kubernetes-types/core/v1.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readProof } from '../../agent/journal/proof.js';
import { verifyProof } from '../../agent/journal/verify-proof.js';
import type {
  BundleObject,
  EventObject,
  NodeObject,
  PodObject,
  SecretObject,
} from '../../hub/objects.js';
import { matches, parseSelector } from '../../hub/selectors.js';
import { bundleKey, makerOf } from '../../agent/intake/decide.js';
import type { BundleName } from '../../agent/ports.js';
import { sha256Hex } from '../../protocol/canonical.js';
import { HELD, LOCKED, UNDONE, WINDOW } from '../../protocol/bundle-reasons.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { Device } from './device.js';
import type { HubLife } from './hub-life.js';
import { linesOf } from './lines.js';
import { outdated, plainFiles } from './readers.js';
import type { SimulatedFleet } from './simulated-fleet.js';

/** Ends of the road, for what is good and for what is not. */
const SETTLED_BAD = new Set(['failed', 'rolledBack', 'waiting']);
/** No end of anybody's road, once windows opened and nobody holds anything. */
const PASSING: ReadonlySet<string> = new Set([WINDOW, HELD, LOCKED]);

export async function unsettled(fleet: SimulatedFleet): Promise<string[]> {
  // Nobody has to be asked for that.
  const away = fleet.devices.filter(device => !device.isUp());
  if (away.length > 0) return away.map(({ name }) => `${name}: its agent is away`);
  const found = await fleet.byHub(hub => allUnsettled(fleet, hub));
  return found ?? ['the hub is away'];
}

async function allUnsettled(fleet: SimulatedFleet, hub: HubLife): Promise<string[]> {
  const bundles = (await hub.store.list('Bundle')).items as readonly BundleObject[];
  const pods = (await hub.store.list('Pod')).items as readonly PodObject[];
  const secrets = (await hub.store.list('Secret')).items as readonly SecretObject[];
  const found: string[] = [];
  for (const device of fleet.devices) {
    const node = (await hub.store.get('Node', '', device.name)) as NodeObject;
    const reporters = await hub.store.reporters(device.name);
    const through = reporters.find(({ current }) => current)?.through ?? 0;
    const assignment = await hub.store.assignment(device.name);
    const seen: Seen = {
      ...{ fleet, device, node, bundles, pods, secrets, through },
      generation: assignment?.generation ?? 0,
    };
    const [first] = unsettledNode(seen);
    if (first !== undefined) found.push(`${device.name}: ${first}`);
  }
  return found;
}

interface Seen {
  readonly fleet: SimulatedFleet;
  readonly device: Device;
  readonly node: NodeObject;
  readonly bundles: readonly BundleObject[];
  readonly pods: readonly PodObject[];
  readonly secrets: readonly SecretObject[];
  /** Events up to here are at the hub. */
  readonly through: number;
  readonly generation: number;
}

function unsettledNode(seen: Seen): string[] {
  const { fleet, device, node, through, generation } = seen;
  const { life } = device;
  if (!life || !device.isUp()) return ['its agent is away'];
  const { version } = fleet.ring.newest().document;
  if (device.rootVersion() !== version) {
    return [`root ${device.rootVersion()} is in force, not ${version}`];
  }
  const accepted = life.journal.accepted()?.generation ?? 0;
  if (accepted !== generation) return [`generation ${accepted} is accepted, not ${generation}`];
  const newest = life.journal.newestEvent();
  return [
    ...unwanted(seen),
    ...bundlesOf(seen),
    ...runningOf(seen),
    ...outdated(device, seen.secrets).filter(isKnownOf(device)),
    ...mirrorOf(seen),
    ...(through < newest ? [`the hub has ${through} of ${newest} events`] : []),
    ...(node.status.flotilla.generation === generation ? [] : ['the hub knows another generation']),
  ];
}

/** What is assigned is what the newest revisions of the bundles that select it are. */
function unwanted({ device, node, bundles }: Seen): string[] {
  const wanted = bundles
    .filter(({ spec }) => matches(parseSelector(spec.nodeSelector), node.metadata.labels))
    .map(({ status }) => status.digest)
    .sort();
  const accepted = device.life?.journal.accepted()?.document.bundles ?? [];
  const assigned = accepted.map(({ digest }) => digest).sort();
  return wanted.join() === assigned.join() ? [] : ['it is assigned something else'];
}

/** Each bundle is where it belongs, and the hub knows it. */
function bundlesOf({ fleet, device, node }: Seen): string[] {
  const known = node.status.flotilla.bundles;
  const told = device.statuses();
  if (known.map(shownBundle).join() !== told.map(shownBundle).join()) {
    return [
      `the hub knows ${known.map(shownBundle).join()}, the node ${told.map(shownBundle).join()}`,
    ];
  }
  return told.flatMap(one => {
    const content = fleet.revisions.get(one.digest);
    const isUndone =
      one.state === 'rolledBack' && one.reason === UNDONE && device.undone.has(one.digest);
    const isThere =
      content?.fate === 'good'
        ? (one.state === 'healthy' && one.active === one.digest) || isUndone
        : SETTLED_BAD.has(one.state) && !PASSING.has(one.reason);
    return isThere ? [] : [`${content?.fate} ${shownBundle(one)} ${one.reason} ${one.message}`];
  });
}

function shownBundle({ name, revision, state, active }: BundleStatus): string {
  return `${name}:${revision} ${state} ${active?.slice(0, 8) ?? '-'}`;
}

/** Not of a bundle of which the node knows nothing any more: its pods go on as they are until a revision of it is active. */
function isKnownOf(device: Device): (line: string) => boolean {
  if (!device.hasForgotten) return () => true;
  const forgotten = device.statuses().filter(one => one.active === null);
  return line => !forgotten.some(({ name }) => line.startsWith(`${name}-`));
}

/**
 * Exactly the pods of what is active run; of what is bad, what can. Where journal and twin were lost, what ran of a bundle goes on until a
 * revision of it is active.
 */
function runningOf({ fleet, device }: Seen): string[] {
  const told = device.statuses();
  const isKnown = isKnownOf(device);
  const active = told.flatMap(({ active: digest }) => {
    const content = digest === null ? undefined : fleet.revisions.get(digest);
    return content ? linesOf(content) : [];
  });
  const canRun = active.filter(one => !one.includes('-crash:') && !one.includes('-gone:')).sort();
  const running = device.running().filter(isKnown);
  if (running.join() !== canRun.join()) {
    return [`${running.join(', ') || 'nothing'} runs, not ${canRun.join(', ') || 'nothing'}`];
  }
  const files = device.promised().filter(isKnown).sort();
  return files.join() === active.sort().join() ? [] : ['the directory is another'];
}

/** The hub's mirror pods are those that are there. */
function mirrorOf({ device, pods }: Seen): string[] {
  const mirrored = pods
    .filter(({ spec }) => spec.nodeName === device.name)
    .map(({ metadata, status }) => shownPod(metadata.name, status))
    .sort();
  const reports = device.life?.pods()?.reports() ?? [];
  const there = reports.map(({ pod }) => shownPod(pod.metadata?.name ?? '', pod.status)).sort();
  return mirrored.join() === there.join()
    ? []
    : [`the hub shows ${mirrored.join()}, there are ${there.join()}`];
}

/** What does not depend on anybody's clock. */
function shownPod(name: string, { phase, containerStatuses = [] }: PodStatus = {}): string {
  const containers = containerStatuses.map(({ state, restartCount, ready, containerID = '-' }) => {
    const now = Object.keys(state ?? {}).join();
    return `${now} ${ready ? 'ready' : 'not ready'} ${restartCount} ${containerID.slice(-8)}`;
  });
  return `${name} ${phase} (${containers.join(', ')})`;
}

/** Who is no member is shown nowhere, whatever it says. */
export async function strangers(fleet: SimulatedFleet): Promise<void> {
  const names = fleet.devices.flatMap(({ name, isMember }) => (isMember ? [] : [name]));
  if (names.length === 0) return;
  const shown = await fleet.byHub(async ({ store }) => {
    const pods = (await store.list('Pod')).items as readonly PodObject[];
    const nodes = (await store.list('Node')).items as readonly NodeObject[];
    return [
      ...nodes.map(({ metadata }) => metadata.name),
      ...pods.map(({ spec }) => spec.nodeName),
    ];
  });
  for (const name of names.filter(one => shown?.includes(one))) {
    fleet.breaks(`${name} was deleted and the hub shows it`);
  }
}

/** What the disks and the hub's events say in the end. Breaks what is not true. */
export async function judgeEnd(fleet: SimulatedFleet): Promise<void> {
  for (const device of fleet.devices) {
    const proof = readProof(device.dataDir);
    const { findings } = verifyProof(proof, null);
    for (const finding of findings) fleet.breaks(`${device.name}: journal: ${finding}`);
    for (const fault of directoryFaults(device, proof.files)) {
      fleet.breaks(`${device.name}: ${fault}`);
    }
  }
  const isMemory = (path: string) => fleet.devices.some(({ mounts }) => mounts.isMounted(path));
  for (const file of plainFiles(fleet.folder, isMemory)) {
    fleet.breaks(`a value of a Secret lies in ${file}`);
  }
  const events = await fleet.byHub(({ store }) => store.list('Event'));
  for (const device of fleet.devices) {
    eventFaults(device, (events?.items ?? []) as readonly EventObject[]).forEach(fault =>
      fleet.breaks(`${device.name}: ${fault}`),
    );
  }
}

/** Of the journal that is there now: each once, in order, the same at both ends. */
function eventFaults({ life, dataDir }: Device, events: readonly EventObject[]): string[] {
  if (!life) return [];
  const { id } = life.journal;
  const heard = events
    .flatMap(({ spec }) => (spec.flotilla?.journal === id ? [spec] : []))
    .sort((a, b) => (a.flotilla?.n ?? 0) - (b.flotilla?.n ?? 0));
  const gap = heard.findIndex((spec, i) => spec.flotilla?.n !== i + 1);
  if (gap !== -1) return [`event ${gap + 1} is lost or doubled at the hub`];
  const said = new Map(readProof(dataDir).events.map(event => [event.n, event]));
  return heard.flatMap(({ flotilla, reason, message }) => {
    const own = said.get(flotilla?.n ?? 0);
    const isSame = !own || (own.reason === reason && own.message === message);
    return isSame ? [] : [`event ${flotilla?.n} (${reason}) is another at the hub`];
  });
}

/** What was promised by a journal that was lost with its twin stays until a revision of its bundle is active. */
function directoryFaults(
  { manifests, hasForgotten }: Device,
  files: readonly (BundleName & { readonly file: string; readonly content: string })[],
): string[] {
  const active = new Set(files.map(bundleKey));
  const isLeft = (file: string) => {
    const maker = hasForgotten ? makerOf(file, readFileSync(join(manifests, file))) : null;
    return maker !== null && !active.has(bundleKey(maker));
  };
  const found = readdirSync(manifests).filter(file => /^\.?flotilla_/.test(file));
  const promised = new Map(files.map(({ file, content }) => [file, content]));
  return [
    ...found
      .filter(file => sha256Hex(readFileSync(join(manifests, file))) !== promised.get(file))
      .filter(file => !isLeft(file))
      .map(file => `${file} is not what the journal promises`),
    ...[...promised.keys()]
      .filter(file => !found.includes(file))
      .map(file => `${file} is promised and is not there`),
  ];
}
