/** ConfigMaps and Secrets for the tests of environments and volumes. */
import {
  objectsFor,
  type ConfigObject,
  type ConfigObjects,
} from '../../agent/pods/config-objects.js';

type Data = Readonly<Record<string, string | Uint8Array>>;

function objectOf(kind: ConfigObject['kind'], name: string, data: Data): ConfigObject {
  const bytes = Object.entries(data).map(([key, value]): [string, Uint8Array] => [
    key,
    typeof value === 'string' ? Buffer.from(value) : value,
  ]);
  const type = kind === 'Secret' ? 'Opaque' : '';
  const origin = `${name}.yaml`;
  return {
    kind,
    namespace: 'default',
    name,
    type,
    data: new Map(bytes),
    isImmutable: false,
    origin,
    bundle: null,
  };
}

/** What a pod of the namespace `default` sees. */
export function configObjects(given: {
  readonly configMaps?: Readonly<Record<string, Data>>;
  readonly secrets?: Readonly<Record<string, Data>>;
}): ConfigObjects {
  const { configMaps = {}, secrets = {} } = given;
  return objectsFor(
    [
      ...Object.entries(configMaps).map(([name, data]) => objectOf('ConfigMap', name, data)),
      ...Object.entries(secrets).map(([name, data]) => objectOf('Secret', name, data)),
    ],
    null,
  );
}
