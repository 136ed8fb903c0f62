/**
 * From Secrets in files to what the hub keeps of them: compared, sealed here for each node that lacks them, brought to the hub in
 * batches. The values leave this machine sealed alone.
 */
import type { ValidConfigObject } from '../../protocol/config-object.js';
import { canonicalJson } from '../../protocol/canonical.js';
import { keyId } from '../../protocol/keys.js';
import { CliError } from '../../protocol/cli-error.js';
import type { SealedItem, Sealing, SealRequest } from '../ports.js';
import type { KeySigner } from '../signing/signer.js';
import type { Connected } from './context.js';
import { fingerprintOf } from './fingerprint.js';
import { pathOf, resourceOf } from './resources.js';

export interface SealPlan {
  readonly name: string;
  /** What it will be, or is. */
  readonly version: number;
  readonly outcome: 'created' | 'configured' | 'unchanged';
  /** For which it is to be sealed. */
  readonly nodes: Sealing['nodes'];
  readonly request: Omit<SealRequest, 'sealed'>;
}

export interface SealOptions {
  readonly namespace: string;
  readonly bundle: string;
  /** Null: the bundle's. */
  readonly nodeSelector: string | null;
  /** For nodes that lack the newest version alone: never makes a new one. */
  readonly missing?: boolean;
  /** Names of the nodes to seal for; absent: all of the bundle's. */
  readonly only?: ReadonlySet<string>;
}

/** A request stays well below what the API takes. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_NODES = 200;

function sealingPath(namespace: string, bundle: string): string {
  return `${pathOf(resourceOf('bundles'), namespace, bundle)}/sealing`;
}

export async function sealingOf(
  hub: Connected,
  { namespace, bundle, nodeSelector }: SealOptions,
): Promise<Sealing> {
  const { status } = await hub.client.call<{ status: Sealing }>({
    path: sealingPath(namespace, bundle),
    query: { nodeSelector: nodeSelector ?? undefined },
  });
  return status;
}

/** What is to be sealed for whom. Throws `CliError` for what must not be. */
export function planSeal(
  hub: Connected,
  secret: ValidConfigObject,
  { sealing, options }: { readonly sealing: Sealing; readonly options: SealOptions },
): SealPlan {
  const { namespace, bundle, missing = false, only } = options;
  const { name, type, data } = secret;
  const known = sealing.secrets.find(one => one.secret === name);
  const context = [sealing.fleet, namespace, bundle, name];
  const fingerprint = fingerprintOf(hub.client.connection.key, context, { type, data });
  const isSame = known?.fingerprint === fingerprint && fingerprint !== null;
  if (missing && known === undefined) {
    throw new CliError(
      'refused',
      `secret "${name}" was never sealed for bundle "${bundle}"`,
      `seal it: flotilla secret seal -f FILE --bundle ${bundle} -n ${namespace}`,
    );
  }
  const highest = sealing.versions[name] ?? sealing.versionsAbove;
  const isBehind = known !== undefined && known.version < highest;
  if (missing && isBehind) {
    throw new CliError(
      'refused',
      `secret "${name}" of bundle "${bundle}": the hub was restored, and nodes may know a later version than ${known.version}`,
      'leave --missing out to seal it as a new version for every node',
    );
  }
  if (missing && known !== undefined && known.fingerprint !== null && !isSame) {
    throw new CliError(
      'refused',
      `secret "${name}" of bundle "${bundle}": these are not the values of version ${known.version}, as far as can be told here`,
      'leave --missing out to seal them as a new version for every node',
    );
  }
  const isKept = known !== undefined && (isSame || missing) && !isBehind;
  const version = isKept ? known.version : highest + 1;
  const chosen = sealing.nodes.filter(({ node }) => only === undefined || only.has(node));
  return {
    name,
    version,
    outcome: known === undefined ? 'created' : isKept ? 'unchanged' : 'configured',
    nodes: isKept ? chosen.filter(({ has }) => has[name] !== version) : chosen,
    request: {
      ...{ namespace, bundle, secret: name, version, type, fingerprint },
      immutable: secret.manifest.immutable === true,
      keys: [...data.keys()],
    },
  };
}

interface Sealer {
  readonly fleet: string;
  /** Of the role that signs secrets; null: the hub signs. */
  readonly signer: KeySigner | null;
}

async function sealedItem(
  plan: SealPlan,
  secret: ValidConfigObject,
  to: { readonly node: Sealing['nodes'][number] } & Sealer,
): Promise<SealedItem> {
  const { node, sealingKey } = to.node;
  const { namespace, bundle, version } = plan.request;
  const context = { fleet: to.fleet, node, namespace, bundle, name: plan.name, version };
  // Most applies seal nothing, and do not wait for what seals.
  const { sealFor, SecretTooLarge } = await import('../secrets/seal.js');
  try {
    const { type, data } = secret;
    const file = await sealFor(sealingKey, context, { type, data });
    const sealed = file.toString('base64');
    const recipient = keyId(sealingKey);
    if (to.signer === null) return { node, recipient, sealed };
    const document = { ...context, recipient, sealed };
    const payload = Buffer.from(canonicalJson(document));
    const { sealWith } = await import('../signing/signer.js');
    return { envelope: (await sealWith('secret', payload, [to.signer])).toString() };
  } catch (error) {
    if (!(error instanceof SecretTooLarge)) throw error;
    throw new CliError('refused', `secret "${plan.name}": ${error.message}`);
  }
}

function sizeOf(item: SealedItem): number {
  return 'envelope' in item ? item.envelope.length : item.sealed.length;
}

/** Seals and brings it to the hub; a plan that changes nothing costs no request. */
export async function carryOut(
  hub: Connected,
  plan: SealPlan,
  { secret, ...sealer }: { readonly secret: ValidConfigObject } & Sealer,
): Promise<void> {
  const bring = (sealed: readonly SealedItem[]) =>
    hub.client.call({
      method: 'POST',
      path: sealingPath(plan.request.namespace, plan.request.bundle),
      body: {
        apiVersion: 'flotilla.dev/v1',
        kind: 'Sealing',
        spec: {
          ...{ secret: plan.name, version: plan.version, type: plan.request.type },
          ...{ immutable: plan.request.immutable, keys: plan.request.keys },
          ...{ fingerprint: plan.request.fingerprint, sealed },
        },
      },
    });
  let batch: SealedItem[] = [];
  let bytes = 0;
  for (const node of plan.nodes) {
    const item = await sealedItem(plan, secret, { ...sealer, node });
    batch.push(item);
    bytes += sizeOf(item);
    if (bytes < BATCH_BYTES && batch.length < BATCH_NODES) continue;
    await bring(batch);
    batch = [];
    bytes = 0;
  }
  // A new version is known to the hub although no node is there yet.
  if (batch.length > 0 || (plan.nodes.length === 0 && plan.outcome !== 'unchanged')) {
    await bring(batch);
  }
}

const nodesText = (count: number) => `${count} node${count === 1 ? '' : 's'}`;

/** One line; no value is in it. */
export function planLine(plan: SealPlan, dryRun: string | null): string {
  const { name, version, outcome, nodes } = plan;
  const note = dryRun === null ? '' : `, ${dryRun}`;
  if (outcome === 'unchanged' && nodes.length === 0) {
    return `secret/${name} unchanged (version ${version}${note})`;
  }
  return `secret/${name} ${outcome} (version ${version}, sealed for ${nodesText(nodes.length)}${note})`;
}
