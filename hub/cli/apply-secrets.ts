/**
 * The Secrets of an apply: sealed before the bundle is written, so that no node waits for them. What the pods name and nobody
 * sealed is said.
 */
import { secretNames } from '../../protocol/pod-secrets.js';
import type { BundleInput } from './bundle-input.js';
import type { Connected, Context } from './context.js';
import { trustKeys, type TrustOptions } from './known-nodes.js';
import { carryOut, planLine, planSeal, sealingOf } from './seal-secrets.js';
import { secretsSigner, type SecretsKey } from './secrets-signer.js';

export interface ApplySecrets {
  readonly namespace: string;
  readonly bundle: string;
  /** As it will be. */
  readonly nodeSelector: string;
  readonly input: Pick<BundleInput, 'secrets' | 'pods'>;
}

/** What an apply says and does about Secrets. */
export interface SecretsToSeal {
  /** True when the hub gets something. */
  readonly changes: boolean;
  tell(dryRun: string): void;
  /** Seals and tells; the first thing that an apply writes. */
  carryOut(key: SecretsKey & TrustOptions): Promise<void>;
}

/** Throws `CliError` for values that do not fit. */
export async function secretsToSeal(
  context: Context,
  hub: Connected,
  { namespace, bundle, nodeSelector, input }: ApplySecrets,
): Promise<SecretsToSeal> {
  const { secrets, pods } = input;
  const named = secretNames(pods);
  if (secrets.length === 0 && named.length === 0) {
    return { changes: false, tell: () => undefined, carryOut: async () => undefined };
  }
  const options = { namespace, bundle, nodeSelector };
  const sealing = await sealingOf(hub, options);
  const plans = secrets.map(secret => ({
    secret,
    plan: planSeal(hub, secret, { sealing, options }),
  }));
  const known = new Set(
    [...secrets, ...sealing.secrets.map(s => ({ name: s.secret }))].map(s => s.name),
  );
  for (const name of named.filter(one => !known.has(one))) {
    context.terminal.warn(
      `Warning: secret "${name}" was never sealed: nodes that have none in their own directory wait ` +
        `(SecretNotSealed) until you seal it: flotilla secret seal -f FILE --bundle ${bundle} -n ${namespace}`,
    );
  }
  const changes = plans.some(({ plan }) => plan.outcome !== 'unchanged' || plan.nodes.length > 0);
  const tell = (dryRun: string | null) => {
    for (const { plan } of plans) context.terminal.print(planLine(plan, dryRun));
  };
  return {
    changes,
    tell,
    carryOut: async key => {
      if (!changes) return tell(null);
      const nodes = plans.flatMap(({ plan }) => plan.nodes);
      await trustKeys(context, { fleet: sealing.fleet, nodes }, key);
      const signer = await secretsSigner(context, sealing, key);
      for (const { secret, plan } of plans) {
        await carryOut(hub, plan, { secret, signer, fleet: sealing.fleet });
        context.terminal.print(planLine(plan, null));
      }
    },
  };
}

interface DifferingSecret {
  readonly name: string;
  /** What it would be. */
  readonly version: number;
  readonly why: string;
}

interface OfBundle {
  readonly namespace: string;
  readonly bundle: string;
  readonly input: Pick<BundleInput, 'secrets'>;
}

/** The Secrets of the input that are not what is sealed, as far as can be told here. */
export async function differingSecrets(
  hub: Connected,
  { namespace, bundle, input }: OfBundle,
): Promise<DifferingSecret[]> {
  if (input.secrets.length === 0) return [];
  const options = { namespace, bundle, nodeSelector: '' };
  const sealing = await sealingOf(hub, options);
  return input.secrets.flatMap(secret => {
    const { outcome, version } = planSeal(hub, secret, { sealing, options });
    if (outcome === 'unchanged') return [];
    const known = sealing.secrets.find(one => one.secret === secret.name);
    const why =
      known === undefined
        ? 'not sealed yet'
        : known.fingerprint === null
          ? `cannot be compared with version ${known.version}`
          : `differs from version ${known.version}, as far as can be told here`;
    return [{ name: secret.name, version, why }];
  });
}

/** One line for each Secret of the input that differs from what is sealed; no value is in it. */
export async function secretDifferences(hub: Connected, of: OfBundle): Promise<string[]> {
  return (await differingSecrets(hub, of)).map(
    ({ name, version, why }) =>
      `secret/${name}: ${why} (would be version ${version}; values are not shown)\n`,
  );
}
