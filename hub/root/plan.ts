/**
 * The plan of a fleet's roles, a YAML file that a person writes and others review: who may sign the root and which bundles.
 * It becomes part of a root document; unknown and ill-typed fields are refused with file, line and field. Pure: keys are read by
 * the caller.
 */
import { isMap, isScalar } from 'yaml';
import type { ReleaseRole, ReleaseScope, RoleKeys } from '../../protocol/documents/root.js';
import { excerpt } from '../../protocol/excerpt.js';
import { keyId } from '../../protocol/keys.js';
import { DEFAULT_GRANT } from '../../protocol/release-scope.js';
import {
  readSettingsYaml,
  SettingsYamlError,
  type SettingsYaml,
} from '../../protocol/settings-yaml.js';
import type { PlannedRoles } from './edit.js';

export const PODS_PER_BUNDLE = 100;

/** The message names file, line and field. */
export class RootPlanError extends Error {
  override readonly name = 'RootPlanError';
}

interface PlannedRole {
  readonly threshold?: number;
  readonly keys: readonly string[];
}

interface PlannedRelease extends PlannedRole {
  readonly bundles: readonly string[];
  readonly scopes?: readonly (Partial<ReleaseScope> & Partial<PlannedRole>)[];
}

export interface RootPlan {
  /** `3y`, or a date. */
  readonly expires?: string;
  readonly root: PlannedRole;
  readonly release: readonly PlannedRelease[];
  readonly secrets?: PlannedRole | null;
  readonly minAgent?: string | null;
  readonly podsPerBundle?: number;
}

/** Kinds of values, with how a person is told. */
const KINDS = {
  text: ['text', (value: unknown) => typeof value === 'string'],
  number: ['a whole number', (value: unknown) => Number.isSafeInteger(value)],
  texts: [
    'a list of texts, not empty',
    (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isText),
  ],
  map: ['a mapping', (value: unknown) => isRecord(value)],
  maps: [
    'a list of mappings, not empty',
    (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isRecord),
  ],
} as const;
type Kind = keyof typeof KINDS;
type Fields = Readonly<Record<string, readonly [Kind, 'required' | 'optional' | 'nullable']>>;

const ROLE: Fields = { threshold: ['number', 'optional'], keys: ['texts', 'required'] };
const PLAN: Fields = {
  expires: ['text', 'optional'],
  root: ['map', 'required'],
  release: ['maps', 'required'],
  secrets: ['map', 'nullable'],
  minAgent: ['text', 'nullable'],
  podsPerBundle: ['number', 'optional'],
};
const RELEASE: Fields = {
  ...ROLE,
  bundles: ['texts', 'required'],
  scopes: ['maps', 'optional'],
};

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Path = readonly (string | number)[];

class PlanReader {
  readonly #file: string;
  readonly #settings: SettingsYaml;
  readonly #value: unknown;

  constructor(text: string, file: string) {
    this.#file = file;
    try {
      this.#settings = readSettingsYaml(text);
      this.#value = this.#settings.toValue();
    } catch (error) {
      if (!(error instanceof SettingsYamlError)) throw error;
      throw new RootPlanError(error.in(file));
    }
    if (!isMap(this.#settings.document.contents))
      throw this.fault([], 'must be a mapping: root, release, …');
  }

  fault(path: Path, what: string): RootPlanError {
    const node = this.#settings.document.getIn(path, true) as
      { range?: [number, ...number[]] } | undefined;
    const line = node?.range ? `:${this.#settings.lineOf(node.range[0])}` : '';
    const field = path.length === 0 ? 'the plan' : excerpt(fieldOf(path));
    return new RootPlanError(`${this.#file}${line}: ${field} ${what}`);
  }

  check(path: Path, fields: Fields): void {
    const node =
      path.length === 0
        ? this.#settings.document.contents
        : this.#settings.document.getIn(path, true);
    for (const { key } of isMap(node) ? node.items : []) {
      const name = isScalar(key) ? String(key.value) : '';
      if (!Object.hasOwn(fields, name)) {
        const known = Object.keys(fields).join(', ');
        throw this.fault([...path, name], `is not a field here; there are ${known}`);
      }
    }
    for (const [name, [kind, presence]] of Object.entries(fields)) {
      const value = this.at([...path, name]);
      if (value === undefined && presence !== 'required') continue;
      if (value === null && presence === 'nullable') continue;
      const [word, is] = KINDS[kind];
      if (value === undefined) throw this.fault([...path, name], `is missing: ${word}`);
      if (!is(value)) throw this.fault([...path, name], `must be ${word}`);
    }
  }

  at(path: Path): unknown {
    return path.reduce<unknown>(
      (value, key) => (value as Record<string | number, unknown> | null | undefined)?.[key],
      this.#value,
    );
  }
}

function fieldOf(path: Path): string {
  return path
    .map(key => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .slice(1);
}

/** Throws `RootPlanError`. The fields of a scope are those of the root document; its schema judges them. */
export function parseRootPlan(text: string, file: string): RootPlan {
  const reader = new PlanReader(text, file);
  reader.check([], PLAN);
  reader.check(['root'], ROLE);
  if (isRecord(reader.at(['secrets']))) {
    reader.check(['secrets'], ROLE);
    if ((reader.at(['secrets', 'threshold']) ?? 1) !== 1) {
      throw reader.fault(['secrets', 'threshold'], 'must be 1: one person seals and signs');
    }
  }
  const release = reader.at(['release']) as readonly unknown[];
  for (const index of release.keys()) reader.check(['release', index], RELEASE);
  return reader.at([]) as RootPlan;
}

/** Every key that a plan names, as it names it, once. */
export function keysNamedIn(plan: RootPlan): string[] {
  const roles = [plan.root, ...plan.release, ...(plan.secrets ? [plan.secrets] : [])];
  const scopes = plan.release.flatMap(({ scopes = [] }) => scopes);
  return [...new Set([...roles, ...scopes].flatMap(({ keys = [] }) => keys))];
}

/**
 * `publicKeys`: by the names that the plan uses. A threshold that is left out is 1; a scope that is left out is what `hub init`
 * grants, for the role's own keys and threshold.
 */
export function plannedRoles(
  plan: RootPlan,
  publicKeys: ReadonlyMap<string, string>,
): PlannedRoles {
  const idOf = (name: string) => keyId(publicKeys.get(name) ?? '');
  const role = ({ threshold = 1, keys }: PlannedRole): RoleKeys => ({
    threshold,
    keys: keys.map(idOf),
  });
  const release = plan.release.map((planned): ReleaseRole => {
    const own = role(planned);
    const scopes = (planned.scopes ?? [{}]).map((scope): ReleaseScope => ({
      ...DEFAULT_GRANT,
      ...scope,
      threshold: scope.threshold ?? own.threshold,
      keys: scope.keys ? scope.keys.map(idOf) : own.keys,
    }));
    return { ...own, bundles: [...planned.bundles], scopes };
  });
  return {
    root: role(plan.root),
    release,
    secrets: plan.secrets ? role(plan.secrets) : null,
    publicKeys: [...publicKeys.values()],
  };
}
