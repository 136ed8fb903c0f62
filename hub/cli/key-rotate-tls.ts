/**
 * `flotilla key rotate tls`: the authority of the certificates of hub, broker and nodes is replaced. Says where it stands, which nodes
 * are awaited, and what is to be typed next; where the root keys are not at the hub, what is to be typed there.
 */
import { CliError } from '../../protocol/cli-error.js';
import type { Rotation } from '../ports.js';
import { describeTlsChange } from '../root/describe.js';
import type { TlsChange } from '../root/tls-change.js';
import type { ApiClient } from './client.js';
import type { Context } from './context.js';
import { agree } from './consent.js';
import { ROOT_PATH, type RootObject } from './root-hub.js';

const AGAIN = 'flotilla key rotate tls';
const FINISH = `${AGAIN} --finish`;

export interface TlsOptions {
  readonly root: RootObject;
  readonly yes?: boolean;
  readonly finish?: boolean;
  readonly force?: boolean;
}

export async function rotateTls(
  context: Context,
  client: ApiClient,
  options: TlsOptions,
): Promise<void> {
  const { root, yes: given, finish = false, force = false } = options;
  const { tls: former, signsRoots } = root.status;
  if (force && !finish) throw new CliError('refused', '--force goes with --finish');
  if (finish && !former) {
    throw new CliError('refused', `the TLS authority is not being changed; begin with: ${AGAIN}`);
  }
  if (!former) await agree(context, 'Replace the TLS authority of the fleet?', { given });
  else if (finish) {
    const what = `Trust the former TLS authority (${short(former.formerPin)}) no longer?`;
    await agree(context, what, { given });
  }
  const { roots, tls } = await post(client, { finish, force });
  const print = (line: string) => context.terminal.print(line);
  for (const version of roots) print(`published root ${version}`);
  if (!tls) return print('The TLS authority is replaced: nothing trusts the former one any more.');
  for (const line of describeTlsChange(tls)) print(line);
  for (const line of nextLines(tls, root.spec.version + roots.length, signsRoots)) print(line);
}

async function post(
  client: ApiClient,
  flags: { readonly finish: boolean; readonly force: boolean },
): Promise<Rotation> {
  const { status } = await client.call<{ status: Rotation }>({
    method: 'POST',
    path: `${ROOT_PATH}/rotate`,
    body: {
      apiVersion: 'flotilla.dev/v1',
      kind: 'KeyRotation',
      spec: { role: 'tls', ...flags },
    },
  });
  return status;
}

const short = (pin: string) => `${pin.slice(0, 16)}…`;

function nextLines(change: TlsChange, version: number, signsRoots: boolean): string[] {
  const { phase, nextPin, formerPin, nodes } = change;
  if (phase === 'prepared') return ceremony(version, `--tls-pin ${nextPin}`, AGAIN);
  if (phase === 'switched') {
    return signsRoots
      ? [`Next: ${FINISH}`]
      : ceremony(version, `--remove-tls-pin ${formerPin}`, null);
  }
  return [
    "Copy the hub's admin.kubeconfig anew to where you use it: it trusts both authorities.",
    nodes.behind.length === 0
      ? `Next: ${FINISH}`
      : `Nodes ask within five minutes of being connected. Then: ${FINISH}`,
  ];
}

function ceremony(version: number, change: string, then: string | null): string[] {
  const [from, to] = [`root-${version}.json`, `root-${version + 1}.json`];
  const lines = [
    `flotilla root fetch --out ${from}`,
    `flotilla root edit --from ${from} ${change}`,
    `flotilla root sign ${to} --key KEY      # enough holders of root keys, in turn`,
    `flotilla root publish ${to}`,
    ...(then === null ? [] : [then]),
  ];
  return ['The root keys are not at the hub. Where they are:', ...lines.map(line => `  ${line}`)];
}
