/** The event that says that a root came into force, for `get events`. Pure. */
import type { RootDocument } from '../../protocol/documents/root.js';
import type { EventSpec } from '../objects.js';
import type { ObjectDraft } from '../store/store.js';

/** `now`: RFC 3339. The version makes the name: saying it twice is one event. */
export function rootEventDraft(
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
