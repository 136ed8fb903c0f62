/**
 * The agent's configuration file: YAML of `kind: AgentConfiguration` (the default) or the kubelet's own
 * `KubeletConfiguration`, taken unchanged. Every key is known or an error; kubelet fields without meaning here are
 * named once in a warning. Pure.
 */
import { isMap, isScalar } from 'yaml';
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
  /** Where a setting stands: `agent.yaml:12`. */
  readonly placeOf: (key: string) => string;
  readonly warnings: readonly string[];
}

const isSetting = (key: string): key is SettingName => Object.hasOwn(SETTINGS, key);

/** With the line of each key of the top level. */
function plainValue(name: string, text: string) {
  try {
    const yaml = readSettingsYaml(text);
    const { contents } = yaml.document;
    const lines = new Map<unknown, number>();
    for (const { key } of isMap(contents) ? contents.items : []) {
      if (isScalar(key)) lines.set(key.value, yaml.lineOf(key.range?.[0] ?? 0));
    }
    return { value: yaml.toValue(), lines };
  } catch (error) {
    if (error instanceof SettingsYamlError) throw new ConfigError(error.in(name));
    throw error;
  }
}

/** Throws `ConfigError`. */
export function readConfigFile(name: string, text: string): ConfigFile {
  const { value, lines } = plainValue(name, text);
  const placeOf = (key: string) => {
    const line = lines.get(key);
    return line === undefined ? name : `${name}:${line}`;
  };
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ConfigError(`${name}: expected a mapping of settings`);
  }
  const { kind, apiVersion: _apiVersion, crashLoopBackOff, ...rest } = value as Settings;
  const isKubelets = kind === 'KubeletConfiguration';
  if (!isKubelets && kind !== undefined && kind !== 'AgentConfiguration') {
    throw new ConfigError(
      `${placeOf('kind')}: kind must be AgentConfiguration or KubeletConfiguration`,
    );
  }
  const settings = { ...rest, ...restartPeriod(placeOf(CRASH_LOOP), crashLoopBackOff) };
  const values = new Map<SettingName, unknown>();
  const meaningless: string[] = [];
  for (const [key, setting] of Object.entries(settings)) {
    if (setting === null || setting === '') continue;
    const isOurs = isSetting(key) && (!isKubelets || isKubeletSetting(key));
    if (isOurs) values.set(key, setting);
    else if (isKubelets && OTHER_KUBELET_FIELDS.has(key)) meaningless.push(key);
    else
      throw new ConfigError(
        `${placeOf(key)}: unknown setting "${excerpt(key)}"${hint(key, isKubelets)}`,
      );
  }
  const warnings =
    meaningless.length === 0
      ? []
      : [`${name}: without meaning here and passed over: ${meaningless.join(', ')}`];
  return { name, values, placeOf, warnings };
}

type Settings = Readonly<Record<string, unknown>>;

/** The kubelet's key above its one nested setting. */
export const CRASH_LOOP = 'crashLoopBackOff';

function isKubeletSetting(key: SettingName): boolean {
  return KUBELET_SETTINGS.has(key) || key === 'maxContainerRestartPeriod';
}

/** The kubelet's one nested setting. */
function restartPeriod(place: string, value: unknown): Settings {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) {
    const { maxContainerRestartPeriod, ...others } = value as Settings;
    const isGiven = maxContainerRestartPeriod !== undefined;
    if (Object.keys(others).length === 0) return isGiven ? { maxContainerRestartPeriod } : {};
  }
  throw new ConfigError(
    `${place}: ${CRASH_LOOP}: expected a mapping with maxContainerRestartPeriod only`,
  );
}

function hint(key: string, isKubelets: boolean): string {
  const all = Object.keys(SETTINGS) as SettingName[];
  const names = isKubelets ? all.filter(isKubeletSetting) : all;
  const near = nearestName(key, names);
  if (near !== undefined) return ` (did you mean "${near}"?)`;
  const shown = names.slice(0, SHOWN).join(', ');
  return `; known: ${shown} and ${names.length - SHOWN} more: flotilla-agent config --example has them all`;
}

/** This goes into a condition that the hub shows. */
const SHOWN = 3;
