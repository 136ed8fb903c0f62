/** What a new root writes: its record, its publications, and the event that says so. Pure. */
import { packed } from '../../protocol/envelope.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import { topicsOf } from '../../protocol/topics.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import type { EventSpec } from '../objects.js';
import type { Mutation, ObjectDraft } from '../store/store.js';

/** To stand before what the root signs: who reads in order never has to ask for it. `now`: RFC 3339. */
export function rootWrites(
  { document, digest, envelope }: TrustedRoot,
  told: { readonly by: string; readonly now: string },
): Mutation[] {
  const topics = topicsOf(document.fleet);
  const { version } = document;
  const payload = packed('root', envelope);
  return [
    { type: 'root', record: { version, digest, envelope } },
    { type: 'publish', topic: topics.root(version), payload },
    { type: 'publish', topic: topics.root(), payload },
    { type: 'put', object: rootEventDraft(document, told), expect: 'any' },
  ];
}

/** The version makes the name: saying it twice is one event. */
function rootEventDraft(
  { version, epoch, roles }: Pick<RootDocument, 'version' | 'epoch' | 'roles'>,
  { by, now }: { readonly by: string; readonly now: string },
): ObjectDraft {
  const at = `${now.slice(0, 19)}Z`;
  const { threshold, keys } = roles.root;
  const spec: EventSpec = {
    involvedObject: { kind: 'Root', namespace: '', name: 'root', uid: '', fieldPath: '' },
    reason: 'RootPublished',
    message:
      `root ${version}, epoch ${epoch}, was published by ${by}: ` +
      `${threshold} of ${keys.length} root keys, ${roles.release.length} release roles, ` +
      `${roles.hub.keys.length} hub keys`,
    type: 'Normal',
    source: { component: 'flotilla-hub', host: '' },
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
    flotilla: { node: '', journal: '', n: 0 },
  };
  const metadata = { namespace: 'default', name: `root.${version}` };
  return { kind: 'Event', metadata, spec, status: null };
}
