/**
 * A root as text for the person who is to sign it: what it says, and what it changes. Names every difference, so that nothing is
 * signed unseen. Pure.
 */
import { canonicalJson } from '../../protocol/canonical.js';
import type { RoleKeys, RootDocument } from '../../protocol/documents/root.js';
import type { RootVerdict, SignatureCount } from './root-file.js';
import type { TlsChange } from './tls-change.js';

/** Field and what stands there: one value for each line, each by itself, so that lists compare entry by entry. */
type Lines = ReadonlyMap<string, readonly string[]>;

export const shortId = (id: string): string => id.slice(0, 16);

function roleText({ threshold, keys }: RoleKeys): string[] {
  return [`${threshold} of ${keys.length} must sign`, ...keys.map(id => `key ${shortId(id)}`)];
}

function linesOf(root: RootDocument): Lines {
  const { roles } = root;
  const lines = new Map<string, string[]>([
    ['fleet', [root.fleet]],
    ['version', [String(root.version)]],
    ['issued', [root.issued]],
    ['expires', [root.expires]],
    ['epoch', [String(root.epoch)]],
    ['root keys', roleText(roles.root)],
  ]);
  for (const [index, role] of roles.release.entries()) {
    const name = `release ${index + 1}: ${role.bundles.join(', ')}`;
    const scopes = role.scopes.map(({ threshold, keys, ...grant }) => {
      const who = `${threshold} of ${keys.map(shortId).join(', ')}`;
      return `scope: ${who}: ${canonicalJson(grant)}`;
    });
    lines.set(name, [...roleText(role), ...scopes]);
  }
  lines.set('hub keys', roleText(roles.hub));
  lines.set('secrets keys', roles.secrets ? roleText(roles.secrets) : ["the hub's"]);
  lines.set(
    'floors',
    Object.entries(root.floors).map(([bundle, floor]) => `${bundle} from revision ${floor}`),
  );
  lines.set('denied', root.denied);
  lines.set('TLS pins', root.tls);
  lines.set('development', [root.development ? 'yes: the hub holds every key' : 'no']);
  lines.set('least agent', [root.minAgent ?? 'any']);
  lines.set('limits', [`${root.limits.podsPerBundle} pods in a bundle`]);
  return lines;
}

/** The whole root. */
export function describeRoot(root: RootDocument, digest: string): string[] {
  const all = [...linesOf(root), ['sha256', [digest]] as const];
  const width = Math.max(...all.map(([field]) => field.length)) + 2;
  return all.flatMap(([field, values]) =>
    (values.length === 0 ? ['none'] : values).map(
      (value, i) => `${(i === 0 ? `${field}:` : '').padEnd(width)}${value}`,
    ),
  );
}

/** `- ` what goes, `+ ` what comes, under the field's name. Version and times are there too: they always differ. */
export function describeChange(former: RootDocument, next: RootDocument): string[] {
  const [before, after] = [linesOf(former), linesOf(next)];
  const fields = [...new Set([...before.keys(), ...after.keys()])];
  return fields.flatMap(field => {
    const [was, is] = [before.get(field) ?? [], after.get(field) ?? []];
    const gone = was.filter(line => !is.includes(line));
    const come = is.filter(line => !was.includes(line));
    if (gone.length + come.length === 0) return [];
    return [field, ...gone.map(line => `  - ${line}`), ...come.map(line => `  + ${line}`)];
  });
}

function countText({ have, need }: SignatureCount, whose: string): string {
  const missing = need > have ? `, ${need - have} missing` : '';
  return `signed by ${have} of the ${need} ${whose} that are needed${missing}`;
}

/** How far a root is, for `verify`, `sign` and `publish`. */
export function describeVerdict({ own, former, refusal, complete }: RootVerdict): string[] {
  return [
    ...(refusal === null ? [] : [`nodes would refuse it: ${refusal}`]),
    countText(own, 'root keys of its own'),
    ...(former ? [countText(former, 'root keys of the version before')] : []),
    complete ? 'complete' : 'not complete: nodes would not take it',
  ];
}

const SHOWN = 20;

const PHASES = {
  prepared: 'made; no root pins it yet',
  announced: 'pinned; nodes get certificates of it; the servers show the former',
  switched: 'shown by the servers; the former is pinned still',
} as const;

export function describeTlsChange({ phase, nextPin, nodes }: TlsChange): string[] {
  const { total, behind } = nodes;
  const more = behind.length > SHOWN ? ` and ${behind.length - SHOWN} more` : '';
  return [
    `next TLS authority: ${nextPin}`,
    `                    ${PHASES[phase]}`,
    `nodes:              ${total - behind.length} of ${total} have a certificate of it`,
    ...(behind.length > 0
      ? [`awaited:            ${behind.slice(0, SHOWN).join(', ')}${more}`]
      : []),
  ];
}
