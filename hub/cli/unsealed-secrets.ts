/** Secrets that pods want and nobody ever sealed, or somebody deleted, as `get secrets` and `secret seal --missing` name them. */
import type { UnsealedSecret } from '../ports.js';
import type { Table } from './client.js';
import type { Connected } from './context.js';
import { namedUpTo } from './counted-names.js';

const NODES_NAMED = 100;

/** Of one namespace, or of all. */
export async function unsealedSecrets(
  hub: Connected,
  namespace: string | null,
): Promise<UnsealedSecret[]> {
  const where = namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const path = `/apis/flotilla.dev/v1${where}/unsealed`;
  const { status } = await hub.client.call<{ status: { secrets: UnsealedSecret[] } }>({ path });
  return status.secrets;
}

/** As `get secrets` lists it. Pure. */
export function isUnsealedNamed({ bundle, secret }: UnsealedSecret, name: string): boolean {
  return name === `${bundle}.${secret}`;
}

/** Pure. */
export function unsealedLine(unsealed: UnsealedSecret): string {
  const { bundle, secret, field, isDeleted, nodes } = unsealed;
  const where = namedUpTo(nodes, NODES_NAMED);
  return `secret/${secret} of bundle/${bundle}: ${isDeleted ? 'deleted' : 'never sealed'}; ${field} wants it on ${where}`;
}

/** What to type. Pure. */
export function unsealedHint(
  { namespace, bundle, secret }: UnsealedSecret,
  current: string,
): string {
  const where = namespace === current ? '' : ` -n ${namespace}`;
  return `flotilla secret seal -f FILE --bundle ${bundle}${where}  # FILE: kind Secret, name ${secret}`;
}

/** As rows of the table of Secrets, in its columns. Pure. */
export function unsealedRows(unsealed: readonly UnsealedSecret[]): Table['rows'] {
  return unsealed.map(({ namespace, bundle, secret, nodes }) => {
    const name = `${bundle}.${secret}`;
    return {
      cells: [name, bundle, '', '', 0, nodes.length, namedUpTo(nodes, 3), '', ''],
      object: { metadata: { namespace, name, labels: {} } },
    };
  });
}
