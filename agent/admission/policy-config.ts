/**
 * Reads the section `admission` of the agent's configuration file. Every mistake is an error that names the file and
 * the key; nothing is passed over, because what a policy does not say is not enforced. Pure.
 */
import { ConfigError } from '../config-error.js';
import { parseImagePattern, type ImagePattern } from './images.js';
import {
  DEFAULT_POLICY,
  POLICY_SOURCES,
  type AdmissionPolicy,
  type HostPathRule,
  type PolicySource,
  type SourcePolicy,
} from './policy.js';
import { excerpt } from '../../protocol/excerpt.js';
import { GRAMMARS } from '../../protocol/pod-grammar.js';
import { isPodSecurityLevel, POD_SECURITY_LEVELS } from '../../protocol/pod-security-standards.js';

const KEYS = ['podSecurity', 'minHostPort', 'hostPaths', 'images', 'requireDigests'] as const;
const RULE_KEYS = ['prefix', 'readOnly'] as const;

function fail(where: string, message: string): never {
  throw new ConfigError(`${where}: ${message}`);
}

function mapping(value: unknown, where: string, keys: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(where, `must be a mapping of ${keys.join(', ')}`);
  }
  const unknown = Object.keys(value).find(key => !keys.includes(key));
  if (unknown !== undefined)
    fail(`${where}.${excerpt(unknown)}`, `unknown; known: ${keys.join(', ')}`);
  return value as Record<string, unknown>;
}

function listOf<T>(value: unknown, where: string, read: (item: unknown, at: string) => T): T[] {
  if (!Array.isArray(value)) fail(where, 'must be a list');
  return value.map((item: unknown, index) => read(item, `${where}[${index}]`));
}

function bool(value: unknown, where: string): boolean {
  return typeof value === 'boolean' ? value : fail(where, 'must be true or false');
}

function hostPathRule(value: unknown, where: string): HostPathRule {
  const { prefix, readOnly = true } = mapping(value, where, RULE_KEYS);
  if (typeof prefix !== 'string' || !prefix.startsWith('/')) {
    fail(`${where}.prefix`, 'must be an absolute path, such as /dev');
  }
  const steps = prefix.split('/').filter(step => step !== '');
  if (steps.some(step => step === '.' || step === '..')) {
    fail(`${where}.prefix`, 'must not contain "." or ".."');
  }
  return { prefix: `/${steps.join('/')}`, readOnly: bool(readOnly, `${where}.readOnly`) };
}

function imagePattern(value: unknown, where: string): ImagePattern {
  const pattern = typeof value === 'string' ? parseImagePattern(value) : null;
  return pattern ?? fail(where, 'must be the pattern of an image, such as registry.example/*');
}

function hostPort(value: unknown, where: string): number | null {
  if (value === null) return null;
  const isPort = typeof value === 'number' && Number.isInteger(value) && value >= 1;
  return isPort && value <= 65_535
    ? value
    : fail(where, 'must be a port number from 1 to 65535, or null to allow none');
}

function sourcePolicy(value: unknown, source: PolicySource, where: string): SourcePolicy {
  const given = mapping(value, where, KEYS);
  const defaults = DEFAULT_POLICY[source];
  const at = (key: (typeof KEYS)[number]) => `${where}.${key}`;
  const podSecurity = given['podSecurity'] ?? defaults.podSecurity;
  if (!isPodSecurityLevel(podSecurity)) {
    fail(at('podSecurity'), `must be one of ${POD_SECURITY_LEVELS.join(', ')}`);
  }
  const read = <T>(key: (typeof KEYS)[number], by: (value: unknown, where: string) => T, or: T) =>
    given[key] === undefined ? or : by(given[key], at(key));
  if (given['minHostPort'] !== undefined && podSecurity === 'privileged' && source !== 'bundle') {
    fail(at('minHostPort'), 'has no effect where podSecurity is privileged; leave it out');
  }
  return {
    podSecurity,
    minHostPort: read('minHostPort', hostPort, defaults.minHostPort),
    hostPaths: read<readonly HostPathRule[] | null>(
      'hostPaths',
      (list, path) => listOf(list, path, hostPathRule),
      defaults.hostPaths,
    ),
    images: read<readonly ImagePattern[] | null>(
      'images',
      (list, path) => listOf(list, path, imagePattern),
      defaults.images,
    ),
    requireDigests: read('requireDigests', bool, defaults.requireDigests),
  };
}

/**
 * The policy that the value of the setting describes; what it leaves out has its default, and undefined is all
 * defaults. `where` says where the value stands, `agent.yaml: admission`. Throws `ConfigError`.
 */
export function parseAdmissionPolicy(value: unknown, where: string): AdmissionPolicy {
  if (value === undefined || value === null) return DEFAULT_POLICY;
  const given = mapping(value, where, POLICY_SOURCES);
  const one = (source: PolicySource) =>
    given[source] === undefined
      ? DEFAULT_POLICY[source]
      : sourcePolicy(given[source], source, `${where}.${source}`);
  return { bundle: one('bundle'), file: one('file'), http: one('http') };
}

function isLabel(key: string, value: string): boolean {
  const { labelKey, labelValue } = GRAMMARS;
  return (
    value.length <= labelValue.maxLength &&
    new RegExp(labelKey.pattern, 'u').test(key) &&
    new RegExp(labelValue.pattern, 'u').test(value)
  );
}

/** The labels of the node's owner, as they are. Throws `ConfigError` for what no node can have. */
export function checkNodeLabels(
  labels: Readonly<Record<string, string>>,
  where: string,
): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(labels)) {
    if (!isLabel(key, value)) {
      fail(
        where,
        `${JSON.stringify(excerpt(`${key}=${value}`))} is not a label such as site=berlin`,
      );
    }
    if (/^(beta\.)?kubernetes\.io\/(hostname|os|arch)$/.test(key)) {
      fail(where, `${key} is set by the node itself`);
    }
  }
  return labels;
}
