/**
 * Status, events and pods as signed messages, made anew each time that they are sent. Decides
 * nothing.
 */
import type { StatusDocument } from '../../protocol/documents/node.js';
import { sealPacked } from '../../protocol/envelope.js';
import { podTopicKey } from '../../protocol/names.js';
import { topicsOf } from '../../protocol/topics.js';
import { bundleKey } from '../intake/decide.js';
import type { Journal } from '../journal/journal.js';
import type { PodReport } from '../ports.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import type { ToldPod } from './decide.js';
import { stampOf, type NodeIdentity } from './node.js';

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
}

export interface Sender {
  readonly identity: NodeIdentity;
  readonly journal: Journal;
  readonly time: Pick<TimeKeeper, 'timeOf'>;
}

/** A pod as it was seen, and as it is told. */
export interface SeenPod extends ToldPod {
  readonly report: PodReport;
}

export function statusMessage({ identity }: Sender, status: StatusDocument): Message {
  const topic = topicsOf(identity.fleet).node(identity.node, 'status');
  return { topic, payload: sealPacked('status', status, [identity.signer]) };
}

/** Events `first` to `last` as far as they are still in the outbox; null when none is. */
export function eventMessage(sender: Sender, first: number, last: number): Message | null {
  const { identity, journal, time } = sender;
  const all = journal.events(first - 1, last - first + 1, time.timeOf);
  const events = all.filter(({ n }) => n <= last);
  if (events.length === 0) return null;
  const document = {
    ...stampOf(identity, journal),
    counter: journal.nextCounter(),
    oldest: journal.oldestEvent(),
    events,
  };
  const topic = topicsOf(identity.fleet).node(identity.node, 'event');
  return { topic, payload: sealPacked('event', document, [identity.signer]) };
}

export function podMessage({ identity, journal }: Sender, seen: SeenPod): Message {
  const slash = seen.key.indexOf('/');
  const rest = podTopicKey(seen.key.slice(0, slash), seen.key.slice(slash + 1));
  const document = {
    ...stampOf(identity, journal),
    counter: journal.nextCounter(),
    source: seen.source,
    bundle: bundleOf(journal, seen.report),
    pod: seen.pod,
  };
  const topic = topicsOf(identity.fleet).node(identity.node, 'pod', rest);
  return { topic, payload: sealPacked('pod', document, [identity.signer]) };
}

/**
 * The revision that the pod's manifest belongs to: the active one, or the last healthy one while it
 * goes.
 */
function bundleOf(journal: Journal, { bundle, manifestDigest }: PodReport) {
  if (!bundle) return null;
  const { namespace, name } = bundle;
  const record = journal.bundles().find(known => bundleKey(known) === bundleKey(bundle));
  for (const digest of [record?.active, record?.healthy]) {
    const document = digest ? journal.content.bundleDocument(digest) : null;
    if (document?.manifests.some(entry => entry.digest === manifestDigest)) {
      return { namespace, name, revision: document.revision };
    }
  }
  return { namespace, name, revision: record?.revision ?? 0 };
}
