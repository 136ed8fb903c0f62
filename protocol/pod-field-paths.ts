/**
 * Which fields of a pod `fieldRef` can name, and which resources `resourceFieldRef`.
 *
 * As API validation has them (`ValidateEnvVarValueFrom`, `validateDownwardAPIVolumeFile`, kubelet behaviour rows 145
 * and 147): a volume can show whole maps and nothing that changes with the pod's place. Pure.
 */
import { invalid, required, type FieldError } from './field-error.js';
import type { Container, ResourceFieldSelector } from './pod.js';
import { GRAMMARS } from './pod-grammar.js';
import { compareQuantities, QuantityError } from './quantity.js';
import { matches } from './rule-checks.js';

export type FieldPlace = 'env' | 'volume';

const METADATA = ['metadata.name', 'metadata.namespace', 'metadata.uid'];

const FIELDS: Readonly<Record<FieldPlace, readonly string[]>> = {
  env: [
    ...METADATA,
    'spec.nodeName',
    'spec.serviceAccountName',
    'status.hostIP',
    'status.hostIPs',
    'status.podIP',
    'status.podIPs',
  ],
  volume: [...METADATA, 'metadata.labels', 'metadata.annotations'],
};

const KEYED_FIELD_PATH = /^metadata\.(?:labels|annotations)\['([^']+)'\]$/;

/** `at` is the path of the `fieldRef`. An empty path has been reported by the schema. */
export function checkFieldPath(fieldPath: string, place: FieldPlace, at: string): FieldError[] {
  if (fieldPath === '' || FIELDS[place].includes(fieldPath)) return [];
  const key = KEYED_FIELD_PATH.exec(fieldPath)?.[1];
  if (key !== undefined && matches(GRAMMARS.labelKey, key.toLowerCase())) return [];
  const names = FIELDS[place].join(', ');
  const detail = `must be one of ${names}, metadata.labels['<key>'], metadata.annotations['<key>']`;
  return [invalid(`${at}.fieldPath`, fieldPath, detail)];
}

const RESOURCE = /^(?:limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/;
const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'].flatMap(name => [
  `limits.${name}`,
  `requests.${name}`,
]);
const CPU_DIVISORS = ['1m', '1'];
const BYTE_DIVISORS = [
  ...['1', '1k', '1M', '1G', '1T', '1P', '1E'],
  ...['1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'],
];

function checkDivisor(divisor: string, resource: string, path: string): FieldError[] {
  const allowed = resource === 'cpu' ? CPU_DIVISORS : BYTE_DIVISORS;
  try {
    // Zero means that none is given.
    const isKnown = ['0', ...allowed].some(one => compareQuantities(one, divisor) === 0);
    if (isKnown) return [];
  } catch (error) {
    if (error instanceof QuantityError) return [invalid(path, divisor, error.message)];
    throw error;
  }
  return [invalid(path, divisor, `must be one of ${allowed.join(', ')} for ${resource}`)];
}

/** `at` is the path of the `resourceFieldRef`; a volume must name the container. */
export function checkResourceField(
  selector: ResourceFieldSelector,
  place: FieldPlace,
  of: { readonly at: string; readonly containers: readonly Container[] },
): FieldError[] {
  const { at, containers } = of;
  const { containerName = '', resource = '', divisor } = selector;
  const errors: FieldError[] = [];
  if (containerName === '' && place === 'volume') errors.push(required(`${at}.containerName`));
  if (containerName !== '' && !containers.some(({ name }) => name === containerName)) {
    const detail = 'there is no container of this name in the pod';
    errors.push(invalid(`${at}.containerName`, containerName, detail));
  }
  if (resource === '') return errors;
  const name = RESOURCE.exec(resource)?.[1];
  if (name === undefined) {
    const detail = `must be one of ${RESOURCES.join(', ')}, or limits. or requests. and hugepages-<size>`;
    return [...errors, invalid(`${at}.resource`, resource, detail)];
  }
  if (divisor === undefined) return errors;
  return [...errors, ...checkDivisor(divisor, name, `${at}.divisor`)];
}
