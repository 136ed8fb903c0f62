/** `flotilla-agent events`, `retry` and `config`: what happened here, what is to be tried now, what is set. */
import { Command } from 'commander';
import type { Event } from 'kubernetes-types/core/v1.js';
import { stringify } from 'yaml';
import { CliError } from '../../protocol/cli-error.js';
import { ageText, layOut } from '../../protocol/columns.js';
import type { AgentStatus } from '../agent-status.js';
import { CONFIG_EXAMPLE } from '../config-example.js';
import type { CliContext } from './context.js';
import { dataDirOf } from './journal-proof.js';
import { getJson, openSocket, readText } from './socket-client.js';

export function eventsCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('events'))
    .summary('show what happened on this node')
    .argument('[pod]', 'only of this pod')
    .option('-o, --output <format>', 'json | yaml')
    .action(async (pod: string | undefined, options: { dataDir: string; output?: string }) => {
      const list = await getJson<{ items: Event[] }>(options.dataDir, '/events');
      const name = pod?.replace(/^pod\//, '');
      const isMeant = ({ involvedObject }: Event) =>
        name === undefined ||
        involvedObject.name === name ||
        (involvedObject.name ?? '').startsWith(`${name}-`);
      const items = list.items.filter(isMeant);
      switch (options.output) {
        case 'json':
          return context.print(JSON.stringify({ ...list, items }, null, 4));
        case 'yaml':
          return context.print(stringify({ ...list, items }).trimEnd());
        case undefined:
          return eventRows(items, await agentNow(options.dataDir)).forEach(line =>
            context.print(line),
          );
        default:
          throw new CliError('refused', `-o ${options.output}: not one of json, yaml`);
      }
    });
}

/** The node's time: the clock of whoever asks may stand at 1970. */
export async function agentNow(dataDir: string): Promise<number> {
  return Date.parse((await getJson<AgentStatus>(dataDir, '/status')).at);
}

/** As `kubectl get events` lays them out. Pure. */
export function eventRows(events: readonly Event[], now: number): string[] {
  if (events.length === 0) return ['No events.'];
  const rows = events.map(({ lastTimestamp, type, reason, involvedObject, message }) => [
    ageText(now - Date.parse(String(lastTimestamp))),
    type ?? '',
    reason ?? '',
    `${(involvedObject.kind ?? '').toLowerCase()}/${involvedObject.name ?? ''}`,
    message ?? '',
  ]);
  return layOut([['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], ...rows]);
}

export function retryCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('retry'))
    .summary('try at once what waits for its time: pulls, restarts, mounts')
    .argument('[pod]', 'only of this pod; the node’s suffix may be left out')
    .option('-n, --namespace <ns>', 'namespace', 'default')
    .action(async (pod: string | undefined, options: { dataDir: string; namespace: string }) => {
      const key = pod === undefined ? null : `${options.namespace}/${pod.replace(/^pod\//, '')}`;
      const path = key === null ? '/retry' : `/retry?pod=${encodeURIComponent(key)}`;
      await readText(await openSocket(options.dataDir, path, { method: 'POST' }));
      context.print(`${key ?? 'all pods'}: tried again`);
    });
}

interface Configz {
  /** As a configuration file would say it. */
  readonly agentconfig: unknown;
  readonly environment: Readonly<Record<string, string>>;
}

export function configCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('config'), { optional: true })
    .summary('show the settings in force, as a configuration file')
    .option('-o, --output <format>', 'yaml | json', 'yaml')
    .option('--example', 'every setting there is, as a file to begin with; needs no agent')
    .action(async (options: { dataDir?: string; output: string; example?: boolean }) => {
      if (options.example) return context.print(CONFIG_EXAMPLE.trimEnd());
      const dataDir = dataDirOf(options);
      if (!['yaml', 'json'].includes(options.output))
        throw new CliError('refused', `-o ${options.output}: not one of yaml, json`);
      const { agentconfig, environment } = await getJson<Configz>(dataDir, '/configz');
      if (options.output === 'json') return context.print(JSON.stringify(agentconfig, null, 4));
      context.print(stringify(agentconfig).trimEnd());
      for (const [name, value] of Object.entries(environment)) {
        context.print(`# from the environment: ${name}=${value}`);
      }
    });
}
