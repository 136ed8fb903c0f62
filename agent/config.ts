/**
 * The agent's settings: flags over environment (`FLOTILLA_…`) over configuration file over defaults. Pure: `main`
 * reads the file and the environment and hands them in. Every mistake is an error that names the setting and its origin.
 */
import { resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { isNodeName } from '../protocol/names.js';
import { parseDurationMs } from '../protocol/duration.js';
import {
  MEANINGFUL_KUBELET_FIELDS,
  OTHER_KUBELET_FIELDS,
  REFUSED_KUBELET_FIELDS,
} from './kubelet-configuration.js';

export interface AgentConfig {
  readonly dataDir: string;
  /** A directory or one file. */
  readonly staticPodPath: string;
  readonly fileCheckFrequencyMs: number;
  readonly nodeName: string;
  /** Path of the Docker Engine API's socket. */
  readonly engineSocket: string;
  readonly socketPath: string;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The same names in flags (kebab-case), environment (`FLOTILLA_` + upper snake) and file (camelCase). */
const SETTINGS = [
  'dataDir',
  'staticPodPath',
  'fileCheckFrequency',
  'nodeName',
  'engineSocket',
] as const;
type Setting = (typeof SETTINGS)[number];

export interface ConfigInput {
  readonly flags: Partial<Record<Setting | 'podManifestPath', string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly name: string; readonly text: string } | null;
  readonly hostname: string;
  /** Name under which the node joined its hub; wins over the host's name, never contradicted silently. */
  readonly joinedAs: string | null;
}

export interface ResolvedConfig {
  readonly config: AgentConfig;
  readonly warnings: readonly string[];
}

export function envName(setting: string): string {
  return `FLOTILLA_${setting.replace(/[A-Z]/g, c => `_${c}`).toUpperCase()}`;
}

function flagName(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)}`;
}

function readFile(
  file: { name: string; text: string },
  warnings: string[],
): Partial<Record<Setting, string>> {
  let value: unknown;
  try {
    value = parseYaml(file.text);
  } catch (error) {
    throw new ConfigError(`${file.name}: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ConfigError(`${file.name}: expected a mapping of settings`);
  }
  const { kind, apiVersion: _apiVersion, ...settings } = value as Record<string, unknown>;
  const kubelet = kind === 'KubeletConfiguration';
  if (!kubelet && kind !== undefined && kind !== 'AgentConfiguration') {
    throw new ConfigError(`${file.name}: kind must be AgentConfiguration or KubeletConfiguration`);
  }
  const result: Partial<Record<Setting, string>> = {};
  const meaningless: string[] = [];
  const known: readonly string[] = kubelet ? MEANINGFUL_KUBELET_FIELDS : SETTINGS;
  for (const [key, setting] of Object.entries(settings)) {
    if ((REFUSED_KUBELET_FIELDS as readonly string[]).includes(key)) {
      throw new ConfigError(
        `${file.name}: ${key} is not supported yet; put manifests into staticPodPath`,
      );
    }
    if (known.includes(key)) {
      if (typeof setting !== 'string')
        throw new ConfigError(`${file.name}: ${key} must be a string`);
      result[key as Setting] = setting;
    } else if (kubelet && OTHER_KUBELET_FIELDS.has(key)) meaningless.push(key);
    else
      throw new ConfigError(`${file.name}: unknown setting "${key}"; known: ${known.join(', ')}`);
  }
  if (meaningless.length > 0) {
    warnings.push(`${file.name}: without meaning here and passed over: ${meaningless.join(', ')}`);
  }
  return result;
}

interface Found {
  readonly value: string;
  readonly origin: string;
}

/** Throws `ConfigError`. */
export function resolveConfig(input: ConfigInput): ResolvedConfig {
  const warnings: string[] = [];
  const file = input.file ? readFile(input.file, warnings) : {};
  const find = (setting: Setting): Found | null => {
    const flag = input.flags[setting];
    if (flag !== undefined) return { value: flag, origin: flagName(setting) };
    const env = input.env[envName(setting)];
    if (env !== undefined && env !== '') return { value: env, origin: envName(setting) };
    const fromFile = file[setting];
    return fromFile === undefined
      ? null
      : { value: fromFile, origin: `${input.file?.name ?? ''}: ${setting}` };
  };
  const dataDir = find('dataDir');
  if (!dataDir) throw new ConfigError('the data directory is not given; pass --data-dir DIR');
  if (input.flags.podManifestPath !== undefined) {
    warnings.push('--pod-manifest-path is deprecated, as on the kubelet; use --static-pod-path');
  }
  const deprecated = input.flags.podManifestPath;
  const path = find('staticPodPath')?.value ?? deprecated ?? `${dataDir.value}/manifests`;
  const config: AgentConfig = {
    dataDir: resolve(dataDir.value),
    staticPodPath: resolve(path),
    fileCheckFrequencyMs: frequency(find('fileCheckFrequency')),
    nodeName: nodeName(find('nodeName'), input),
    engineSocket: engineSocket(find('engineSocket'), input.env['DOCKER_HOST']),
    socketPath: resolve(dataDir.value, 'agent.sock'),
  };
  return { config, warnings };
}

function frequency(found: Found | null): number {
  if (!found) return 20_000;
  const ms = parseDurationMs(found.value);
  if (ms === null || ms < 100) {
    throw new ConfigError(
      `${found.origin}: "${found.value}" is not a duration of 100ms or more, such as 20s`,
    );
  }
  return ms;
}

function nodeName(found: Found | null, input: ConfigInput): string {
  if (input.joinedAs !== null && found && found.value !== input.joinedAs) {
    throw new ConfigError(
      `${found.origin}: this data directory joined as "${input.joinedAs}", not "${found.value}"; ` +
        'leave the name out or use another --data-dir',
    );
  }
  const name = input.joinedAs ?? found?.value ?? nodeNameOf(input.hostname);
  if (!isNodeName(name)) {
    throw new ConfigError(
      `${found?.origin ?? 'host name'}: "${name}" is not a node name: at most 63 of a-z, 0-9 and -, ` +
        'beginning and ending with a letter or digit; pass --node-name',
    );
  }
  return name;
}

/** The host's name up to its first dot, in lower case. */
export function nodeNameOf(hostname: string): string {
  return (hostname.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 63);
}

function engineSocket(found: Found | null, dockerHost: string | undefined): string {
  if (found) return found.value.replace(/^unix:\/\//, '');
  if (dockerHost === undefined || dockerHost === '') return '/var/run/docker.sock';
  if (!dockerHost.startsWith('unix://')) {
    throw new ConfigError(
      `DOCKER_HOST: "${dockerHost}" is not a unix socket; the engine must run on this node: unset it or pass --engine-socket`,
    );
  }
  return dockerHost.slice('unix://'.length);
}
