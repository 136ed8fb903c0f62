/** `flotilla-agent status` and `plan`: what the agent knows and does, hub or no hub. */
import { Command } from 'commander';
import { bundleStateText } from '../../protocol/bundle-state-text.js';
import { CliError } from '../../protocol/cli-error.js';
import { ageText, layOut } from '../../protocol/columns.js';
import { budgetLines } from '../../protocol/budget.js';
import { usageLines } from '../../protocol/usage.js';
import type { BundleStatus } from '../../protocol/documents/node.js';
import type { AgentStatus } from '../agent-status.js';
import { isJoined } from '../membership/identity.js';
import type { CliContext } from './context.js';
import { getJson, openSocket, readText } from './socket-client.js';

const JOINED_SINCE =
  'none yet: this node joined one after the agent was started; restart the agent';

export function statusCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('status'))
    .summary('show the state of this node')
    .option('-o, --output <format>', 'json')
    .action(async (options: { dataDir: string; output?: string }) => {
      const status = await getJson<AgentStatus>(options.dataDir, '/status');
      if (options.output === 'json') return context.print(JSON.stringify(status, null, 4));
      if (options.output !== undefined)
        throw new CliError('refused', `-o ${options.output}: only json`);
      const isMember = status.hub !== null || isJoined(options.dataDir);
      for (const line of statusLines(status, { isMember })) context.print(line);
    });
}

export function planCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('plan'))
    .summary('show what is being done to pods and what waits for its time')
    .action(async (options: { dataDir: string }) => {
      const text = (await readText(await openSocket(options.dataDir, '/plan'))).trimEnd();
      context.print(text === '' ? 'Nothing to do.' : text);
    });
}

/** Pure. `isMember`: as the data directory says, which an agent reads when it starts. */
export function statusLines(
  status: AgentStatus,
  { isMember }: { readonly isMember: boolean },
): string[] {
  const { hub, journal } = status;
  // The clock of whoever asks may stand at 1970.
  const now = Date.parse(status.at);
  const rows = [
    ['Node:', status.node],
    ['Agent:', `${status.version}, start ${journal.boot} on ${status.dataDir}`],
    ['Manifests:', status.staticPodPath],
    ['Engine:', status.engine === '' ? 'does not answer' : status.engine],
    ['Pods:', `${status.pods.total}, ${status.pods.ready} ready`],
    ['Events:', `${journal.unconfirmedEvents} ${hub ? 'not confirmed by the hub' : 'kept'}`],
    ['Hub:', hub ? `${hub.url}, ${linkText(hub)}` : isMember ? JOINED_SINCE : 'none; not joined'],
    ['Told to pods:', connectionText(status.connection, now)],
    ...(hub ? hubRows(hub, now) : []),
  ];
  const lines = layOut(rows);
  if (hub && hub.bundles.length > 0) {
    const head = ['BUNDLE', 'REVISION', 'RUNS', 'STATE', 'SINCE', 'REASON'];
    const bundles = hub.bundles.map(b => [
      `${b.namespace}/${b.name}`,
      ...revisionCells(b),
      bundleStateText(b),
      ageText(now - Date.parse(b.since)),
      [b.reason, b.message].filter(text => text !== '').join(': '),
    ]);
    lines.push('', ...layOut([head, ...bundles]));
  }
  if (status.usage) {
    const { since, at, bytes, budget } = status.usage;
    lines.push('', ...usageLines(since, bytes), ...budgetLines(bytes, budget, Date.parse(at)));
  }
  if (status.conditions.length > 0) {
    const head = ['CONDITION', 'STATUS', 'REASON', 'MESSAGE'];
    lines.push(
      '',
      ...layOut([head, ...status.conditions.map(c => [c.type, c.status, c.reason, c.message])]),
    );
  }
  return lines;
}

/** What is wanted and what runs; of what is to go nothing is wanted. */
function revisionCells({ state, revision, digest, active }: BundleStatus): [string, string] {
  const runs = active === null ? '-' : active.slice(0, 12);
  if (state === 'removing') return ['-', active === digest ? `revision ${revision}` : runs];
  return [String(revision), active === digest ? 'this' : runs];
}

function hubRows(hub: NonNullable<AgentStatus['hub']>, now: number): string[][] {
  const refusal = hub.lastRefusal;
  const development = hub.development ? ' (development: the hub holds every key)' : '';
  return [
    ['Assignment:', `epoch ${hub.epoch}, generation ${hub.generation}`],
    ['Root:', `version ${hub.rootVersion}${development}`],
    ['Clock:', clockText(hub)],
    ['Sealing key:', hub.sealingKey.slice(0, 16)],
    ...(refusal
      ? [
          [
            'Last refusal:',
            `${ageText(now - Date.parse(refusal.at))} ago (${refusal.at}), ${refusal.code} on ${refusal.topic}: ${refusal.detail}`,
          ],
        ]
      : []),
  ];
}

function linkText({ connected, linkFault }: NonNullable<AgentStatus['hub']>): string {
  if (connected) return 'connected to a broker';
  return linkFault === null ? 'not connected' : `not connected (${linkFault})`;
}

function connectionText({ connected, since, message }: AgentStatus['connection'], now: number) {
  const word = connected ? 'connected' : 'not connected';
  return `${word} for ${ageText(now - Date.parse(since))}: ${message}`;
}

function clockText({ clock, clockOffset }: NonNullable<AgentStatus['hub']>): string {
  if (clock === 'suspect') return 'suspect: beyond the end of the root, nobody vouched for it';
  if (clock === 'floor') return 'floor: no more is proven than signed documents say';
  if (clockOffset === null) return 'synced, by the kernel';
  return clockOffset === 0
    ? 'synced with the hub'
    : `synced with the hub, ${clockOffset / 1000} s added`;
}
