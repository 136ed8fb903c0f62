/** `flotilla audit`: who changed or used what, from where, and what the hub decided about rollouts by itself. */
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { layOut } from '../../protocol/columns.js';
import { parseLongDurationMs } from '../../protocol/duration.js';
import type { AuditRecord } from '../store/audit-records.js';
import { harmless } from './bundle-text.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { targetsOf } from './resources.js';

const PATH = '/apis/flotilla.dev/v1/audit';
const PAGE = 1000;

interface AuditOptions extends ConnectionOptions {
  tail: string;
  since?: string;
  output?: string;
}

export interface AuditFilter {
  /** Null: any. */
  readonly kind: string | null;
  readonly namespace: string | null;
  readonly name: string | null;
  /** Milliseconds since 1970; null: from the first. */
  readonly since: number | null;
}

/** A bundle and its rollout are one thing to people, and so are a node and its assignment. Pure. */
export function isAsked(line: AuditRecord, { kind, namespace, name, since }: AuditFilter): boolean {
  const also: Readonly<Record<string, string>> = { Bundle: 'Rollout', Node: 'Assignment' };
  const kinds = [kind, also[kind ?? ''] ?? kind];
  if (kind !== null && !kinds.includes(line.kind)) return false;
  if (kind !== null && line.namespace !== '' && line.namespace !== namespace) return false;
  if (name !== null && line.name !== name) return false;
  return since === null || Date.parse(line.at) >= since;
}

/** Pure. */
export function auditLines(lines: readonly AuditRecord[]): string[] {
  const short = (digest: string | null) => digest?.slice(0, 12) ?? '-';
  const rows = lines.map(line => [
    ...[String(line.number), line.at, whoText(line), line.actor.address ?? '-', line.verb],
    `${line.kind.toLowerCase()}/${line.namespace === '' ? '' : `${line.namespace}/`}${line.name}`,
    ...[short(line.before), short(line.after), line.detail ?? ''],
  ]);
  const head = ['NUMBER', 'AT', 'WHO', 'FROM', 'VERB', 'WHAT', 'BEFORE', 'AFTER', 'DETAIL'];
  return layOut([head, ...rows]).map(harmless);
}

function whoText({ actor }: AuditRecord): string {
  return actor.kind === 'user' ? actor.name : `${actor.kind}:${actor.name}`;
}

export function auditCommand(context: Context): Command {
  return withConnection(new Command('audit'))
    .summary('who changed or used what, and what the hub decided')
    .description(
      'Prints the audit log: every change by a person with who, from where, what, and digests of it before and after; every use of a pod; every ' +
        'decision of the hub about a rollout (a wave began or passed; paused, aborted, completed). The log is append-only and ends, in a restored hub, with the backup.',
    )
    .argument('[object]', 'KIND/NAME: only of this object; of a bundle, its rollout too')
    .option('--tail <n>', 'the newest lines; -1: all', '100')
    .option('--since <duration>', 'not older than 90s, 5m, 1d')
    .option('-o, --output <format>', 'json: one line of the log per line')
    .action((target: string | undefined, options: AuditOptions) =>
      connected(context, options, async hub => {
        const { output, tail } = options;
        if (output !== undefined && output !== 'json')
          throw new CliError('refused', `-o ${output}: only json`);
        if (!/^(-1|\d{1,9})$/.test(tail))
          throw new CliError('refused', `--tail ${tail}: a number of lines, or -1`);
        const filter = filterOf(context, hub, target, options.since);
        const isWhole = target === undefined && options.since === undefined;
        const enough = isWhole && tail !== '-1' ? Math.min(PAGE, Number(tail)) : PAGE;
        const read = enough < PAGE ? await newest(hub, enough) : await all(hub);
        const found = read.filter(line => isAsked(line, filter));
        const lines = tail === '-1' ? found : found.slice(Math.max(0, found.length - Number(tail)));
        const text =
          output === 'json' ? lines.map(line => JSON.stringify(line)) : auditLines(lines);
        for (const line of text) context.terminal.print(line);
      }),
    );
}

function filterOf(
  { clock }: Context,
  { namespace }: Connected,
  target: string | undefined,
  since: string | undefined,
): AuditFilter {
  const spanMs = since === undefined ? null : parseLongDurationMs(since);
  if (since !== undefined && spanMs === null) {
    throw new CliError('refused', `--since ${since}: a duration such as 90s, 5m or 1d`);
  }
  const at = { namespace, since: spanMs === null ? null : clock.now() - spanMs };
  if (target === undefined) return { kind: null, name: null, ...at };
  if (!target.includes('/')) throw new CliError('refused', `"${target}" is not KIND/NAME`);
  const { resource, names } = targetsOf([target]);
  return { kind: resource.kind, name: names[0] ?? null, ...at };
}

async function newest({ client }: Connected, count: number): Promise<AuditRecord[]> {
  const query = { limit: String(count) };
  return (await client.call<{ items: AuditRecord[] }>({ path: PATH, query })).items;
}

/** In pages, from the first line on. */
async function all({ client }: Connected): Promise<AuditRecord[]> {
  const lines: AuditRecord[] = [];
  for (;;) {
    const after = String(lines[lines.length - 1]?.number ?? 0);
    const query = { after, limit: String(PAGE) };
    const { items } = await client.call<{ items: AuditRecord[] }>({ path: PATH, query });
    lines.push(...items);
    if (items.length < PAGE) return lines;
  }
}
