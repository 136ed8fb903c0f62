/** `flotilla root publish|fetch|show`: what goes to a hub and what comes from it. */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { RootDocument } from '../../protocol/documents/root.js';
import {
  describeChange,
  describeRoot,
  describeTlsChange,
  describeVerdict,
} from '../root/describe.js';
import type { RootStatus } from '../root/root-status.js';
import { envelopeText, judgeRoot, readRootFile, type RootFile } from '../root/root-file.js';
import type { ApiClient } from './client.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';
import { loadRoot, refuseExisting, saveRoot } from './root-files.js';
import { agree, YES } from './consent.js';
import { namedUpTo } from './counted-names.js';

export const ROOT_PATH = '/apis/flotilla.dev/v1/root';

export interface RootObject {
  readonly spec: RootDocument;
  readonly status: RootStatus;
}

/** The envelope of the newest version, or of that one. */
export async function fetchRoot(client: ApiClient, version: number | null): Promise<RootFile> {
  const at = version ?? (await client.call<RootObject>({ path: ROOT_PATH })).spec.version;
  const envelope = await client.call<object>({ path: `/flotilla/v1/roots/${at}` });
  const read = readRootFile(JSON.stringify(envelope));
  if (read.ok) return read.value;
  throw new CliError('failed', `the hub gave no root: ${read.refusal.detail}`);
}

/** Roots go one by one: signatures say nothing about one that is not the next. */
function refuseOutOfTurn(path: string, file: RootFile, current: RootFile): void {
  const { version } = file.document;
  const has = current.document.version;
  if (version === has + 1) return;
  const what = `${path} is root ${version}, and the hub has root ${has}`;
  if (version > has) {
    const first = has + 1;
    const hint = `flotilla root publish root-${first}.json; then the others in order`;
    throw new CliError('refused', `${what}: root ${first} comes first`, hint);
  }
  const why = version === has ? `${what} with another content` : `${what}, a newer one`;
  const hint = `make the next from it: flotilla root fetch; flotilla root edit --from root-${has}.json`;
  throw new CliError('refused', why, hint);
}

export function rootPublishCommand(context: Context): Command {
  return withConnection(new Command('publish'))
    .summary('give a signed root to the hub, and by it to the nodes')
    .argument('<file>', 'the root, complete')
    .option('--dry-run', 'have the hub check it; nothing is published')
    .option(...YES)
    .action((path: string, options: ConnectionOptions & { dryRun?: boolean; yes?: boolean }) =>
      connected(context, options, async ({ client }) => {
        const { terminal } = context;
        const file = loadRoot(path);
        const current = await fetchRoot(client, null);
        if (current.digest === file.digest) {
          terminal.print(`root ${file.document.version} is published already`);
          return;
        }
        refuseOutOfTurn(path, file, current);
        for (const line of describeChange(current.document, file.document)) terminal.print(line);
        const verdict = judgeRoot(file, current.document);
        if (!verdict.complete) {
          const why = [path, ...describeVerdict(verdict).map(line => `  ${line}`)].join('\n');
          throw new CliError('refused', why);
        }
        if (options.dryRun !== true) {
          await agree(context, `Publish root ${file.document.version}?`, { given: options.yes });
        }
        const answer = await client.call<RootObject>({
          method: 'POST',
          path: ROOT_PATH,
          query: { dryRun: options.dryRun === true ? 'All' : undefined },
          body: JSON.parse(envelopeText(file)) as object,
        });
        const done = options.dryRun === true ? 'would be published (dry run)' : 'published';
        terminal.print(`root ${file.document.version} ${done}`);
        for (const warning of answer.status.warnings) terminal.warn(`warning: ${warning}`);
      }),
    );
}

export function rootFetchCommand(context: Context): Command {
  return withConnection(new Command('fetch'))
    .summary('write the root in force, or a former version, to a file')
    .option('--version <n>', 'that version (default: the newest)')
    .option('--out <file>', 'where it goes (default: root-<n>.json)')
    .option('--force', 'replace the file')
    .action((options: ConnectionOptions & { version?: string; out?: string; force?: boolean }) =>
      connected(context, options, async ({ client }) => {
        if (options.version !== undefined && !/^[1-9]\d{0,14}$/.test(options.version)) {
          throw new CliError('refused', `--version ${options.version}: use a number from 1`);
        }
        const version = options.version === undefined ? null : Number(options.version);
        const file = await fetchRoot(client, version);
        const out = options.out ?? `root-${file.document.version}.json`;
        // The commands that others print begin with it: where it was typed before, nothing is lost.
        if (existsSync(out) && loadRoot(out).digest === file.digest) {
          return context.terminal.print(`${out} is version ${file.document.version} already`);
        }
        refuseExisting(out, options.force === true);
        saveRoot(out, file);
        context.terminal.print(
          `Wrote ${out}: version ${file.document.version}, sha256 ${file.digest}`,
        );
      }),
    );
}

export function rootShowCommand(context: Context): Command {
  return withConnection(new Command('show'))
    .summary('show a root: a file, or the one in force at the hub')
    .argument('[file]', 'a root (default: ask the hub)')
    .addOption(new Option('-o, --output <format>').choices(['json']))
    .action(async (path: string | undefined, options: ConnectionOptions & { output?: 'json' }) => {
      const { terminal } = context;
      const isJson = options.output === 'json';
      if (path !== undefined) {
        const { document, digest } = loadRoot(path);
        if (isJson) terminal.print(JSON.stringify(document, null, 2));
        else for (const line of describeRoot(document, digest)) terminal.print(line);
        return;
      }
      await connected(context, options, async ({ client }) => {
        const object = await client.call<RootObject>({ path: ROOT_PATH });
        if (isJson) return terminal.print(JSON.stringify(object, null, 2));
        const { spec, status } = object;
        for (const line of describeRoot(spec, status.digest)) terminal.print(line);
        for (const line of statusLines(status)) terminal.print(line);
      });
    });
}

/** What the hub adds to the document: its keys, the nodes, what is to be done. Pure. */
function statusLines({ held, nodes, conditions, warnings, tls }: RootStatus): string[] {
  const keys = held.map(({ role, id }) => `${role} ${id.slice(0, 16)}`);
  const behind = nodes.behind.map(({ name, version }) => `${name} (${version})`);
  return [
    `held at the hub:  ${keys.join(', ')}`,
    `nodes:            ${nodes.total - nodes.behind.length} of ${nodes.total} have this version`,
    ...(behind.length > 0 ? [`behind:           ${namedUpTo(behind, 20)}`] : []),
    ...(tls ? describeTlsChange(tls) : []),
    ...conditions.map(({ type, reason, message }) => `${type}: ${reason}: ${message}`),
    ...warnings.map(warning => `warning: ${warning}`),
  ];
}
