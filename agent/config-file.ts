/**
 * The agent's configuration file: YAML of `kind: AgentConfiguration` (the default) or the kubelet's own
 * `KubeletConfiguration`, taken unchanged. Every key is known or an error; kubelet fields without meaning here are
 * named once in a warning. Pure.
 */
import { ConfigError } from './config-error.js';
import { excerpt } from '../protocol/excerpt.js';
import { nearestName } from '../protocol/pod-schema-errors.js';
import { readSettingsYaml, SettingsYamlError } from '../protocol/settings-yaml.js';
import { OTHER_KUBELET_FIELDS } from './kubelet-configuration.js';
import { KUBELET_SETTINGS, SETTINGS, type SettingName } from './settings.js';

export interface ConfigFile {
  readonly name: string;
  /** As written; not yet read by kind. */
  readonly values: ReadonlyMap<SettingName, unknown>;
  readonly warnings: readonly string[];
}

const isSetting = (key: string): key is SettingName => Object.hasOwn(SETTINGS, key);

function plainValue(name: string, text: string): unknown {
  try {
    return readSettingsYaml(text).toValue();
  } catch (error) {
    if (error instanceof SettingsYamlError) throw new ConfigError(error.in(name));
    throw error;
  }
}

/** Throws `ConfigError`. */
export function readConfigFile(name: string, text: string): ConfigFile {
  const value = plainValue(name, text);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ConfigError(`${name}: expected a mapping of settings`);
  }
  const { kind, apiVersion: _apiVersion, crashLoopBackOff, ...rest } = value as Settings;
  const isKubelets = kind === 'KubeletConfiguration';
  if (!isKubelets && kind !== undefined && kind !== 'AgentConfiguration') {
    throw new ConfigError(`${name}: kind must be AgentConfiguration or KubeletConfiguration`);
  }
  const settings = { ...rest, ...restartPeriod(name, crashLoopBackOff) };
  const values = new Map<SettingName, unknown>();
  const meaningless: string[] = [];
  for (const [key, setting] of Object.entries(settings)) {
    if (setting === null || setting === '') continue;
    const isOurs = isSetting(key) && (!isKubelets || isKubeletSetting(key));
    if (isOurs) values.set(key, setting);
    else if (isKubelets && OTHER_KUBELET_FIELDS.has(key)) meaningless.push(key);
    else
      throw new ConfigError(`${name}: unknown setting "${excerpt(key)}"${hint(key, isKubelets)}`);
  }
  const warnings =
    meaningless.length === 0
      ? []
      : [`${name}: without meaning here and passed over: ${meaningless.join(', ')}`];
  return { name, values, warnings };
}

type Settings = Readonly<Record<string, unknown>>;

function isKubeletSetting(key: SettingName): boolean {
  return KUBELET_SETTINGS.has(key) || key === 'maxContainerRestartPeriod';
}

/** The kubelet's one nested setting. */
function restartPeriod(name: string, value: unknown): Settings {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) {
    const { maxContainerRestartPeriod, ...others } = value as Settings;
    const isGiven = maxContainerRestartPeriod !== undefined;
    if (Object.keys(others).length === 0) return isGiven ? { maxContainerRestartPeriod } : {};
  }
  const where = 'crashLoopBackOff';
  throw new ConfigError(
    `${name}: ${where}: expected a mapping with maxContainerRestartPeriod only`,
  );
}

function hint(key: string, isKubelets: boolean): string {
  const all = Object.keys(SETTINGS) as SettingName[];
  const names = isKubelets ? all.filter(isKubeletSetting) : all;
  const near = nearestName(key, names);
  return near === undefined ? `; known: ${names.join(', ')}` : ` (did you mean "${near}"?)`;
}
