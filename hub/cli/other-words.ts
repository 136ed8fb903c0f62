/**
 * What people type who come from kubectl or docker, and what to type instead: one sentence each. Words that are commands here never get
 * this far. Pure.
 */
import { CliError } from '../../protocol/cli-error.js';

const EDIT = 'change the manifest and flotilla apply -f it (diff shows what would change)';
const NOT_BY_NUMBER =
  'each node that a bundle selects runs it once: flotilla apply -f FILE --nodes SELECTOR selects other nodes';
const NO_SERVICE =
  'there are no Services: a pod is reached by hostPort on its node, or by flotilla port-forward POD';
const NO_TAINTS =
  'nodes have no taints: which nodes run a bundle is said by its selector (flotilla label node NAME KEY=VALUE); flotilla cordon NAME keeps new things away';
const UNDO = 'flotilla rollout undo bundle/NAME; at the device: flotilla-agent undo';
const AT_DEVICE = 'that is for who stands at the device: flotilla-agent';

const INSTEAD: Readonly<Record<string, string>> = {
  'api-resources':
    'flotilla get knows nodes, pods, events, bundles, rollouts, secrets, tokens; kubectl api-resources asks the hub itself',
  'api-versions': 'the hub serves v1 and flotilla.dev/v1; kubectl api-versions asks it',
  approve: 'flotilla node approve NAME',
  auth: 'whoever has the admin.kubeconfig of the hub may do everything; kubectl auth works against it',
  autoscale: NOT_BY_NUMBER,
  backup: 'flotilla hub backup',
  build: 'flotilla bundle build -f FILE',
  bundles: 'flotilla get bundles',
  certificate: 'devices are let in with flotilla node approve NAME',
  'cluster-info':
    'flotilla version asks the hub of the kubeconfig; flotilla get nodes shows who reports to it',
  completion: 'there is none yet: flotilla --help, flotilla COMMAND --help',
  config:
    'the connection is a kubeconfig: hub init wrote admin.kubeconfig; --kubeconfig FILE or KUBECONFIG names it, kubectl config edits it',
  create:
    'flotilla apply -f FILE makes and changes a bundle; flotilla token create lets devices join; flotilla secret seal -f FILE',
  debug: 'flotilla exec -it POD -- sh',
  edit: EDIT,
  events: 'flotilla get events; those of one object: flotilla describe KIND NAME',
  explain:
    'docs/pods.md lists the fields of a Pod that Flotilla takes; flotilla apply --dry-run checks yours',
  expose: NO_SERVICE,
  import: `${AT_DEVICE} import FILE; at the hub flotilla bundle import FILE`,
  init: 'flotilla hub init --data-dir DIR makes a hub',
  install:
    'flotilla hub init --data-dir DIR makes a hub; flotilla-agent join makes a device a node of it',
  join: `${AT_DEVICE} join --token-file FILE; the join line comes from flotilla token create`,
  journal: `${AT_DEVICE} journal; at the hub flotilla get events`,
  kill: 'flotilla delete bundle NAME has its pods leave the nodes',
  kustomize: 'kubectl kustomize DIR | flotilla apply -f - --bundle NAME',
  leave: `${AT_DEVICE} leave`,
  list: 'flotilla get nodes, pods, bundles, rollouts, secrets, events or tokens',
  login:
    'flotilla takes the connection from a kubeconfig: hub init wrote admin.kubeconfig; export KUBECONFIG=FILE',
  ls: 'flotilla get nodes, pods, bundles, rollouts, secrets, events or tokens',
  nodes: 'flotilla get nodes',
  patch: EDIT,
  pods: 'flotilla get pods',
  proxy:
    'flotilla port-forward POD LOCAL:PORT; the API answers clients with the certificate of the kubeconfig',
  ps: 'flotilla get pods -o wide; on the device: flotilla-agent pods',
  replace: 'flotilla apply -f FILE replaces a bundle as a whole',
  restart: 'flotilla rollout restart bundle/NAME',
  restore: 'flotilla hub restore',
  revoke: 'flotilla node revoke NAME',
  rm: 'flotilla delete bundle, secret, node or token NAME',
  rollback: UNDO,
  run: 'kubectl run NAME --image IMAGE --dry-run=client -o yaml | flotilla apply -f - --bundle NAME --nodes SELECTOR; the hub: flotilla hub run; a node: flotilla-agent run',
  scale: NOT_BY_NUMBER,
  secrets: 'flotilla get secrets',
  set: EDIT,
  sign: 'flotilla bundle sign FILE; a root: flotilla root sign FILE',
  start: 'flotilla hub run --data-dir DIR starts the hub; flotilla-agent run --data-dir DIR a node',
  stats:
    'flotilla describe node NAME shows what link and disk were used for; on the device docker stats shows CPU and memory',
  status:
    'flotilla get nodes, flotilla get bundles, flotilla rollout status bundle/NAME; on the device: flotilla-agent status',
  stop: 'flotilla delete bundle NAME has its pods leave the nodes',
  taint: NO_TAINTS,
  tokens: 'flotilla get tokens',
  top: 'flotilla describe node NAME shows what link and disk were used for; on the device docker stats shows CPU and memory',
  undo: UNDO,
  uninstall: 'flotilla delete bundle NAME has its pods leave the nodes',
  verify: 'flotilla bundle verify FILE; a root: flotilla root verify FILE',
  wait: 'flotilla rollout status bundle/NAME waits, and so does flotilla apply --wait',
};

/** Below a command of ours. */
const BELOW: Readonly<Record<string, string>> = {
  'hub start': 'flotilla hub run --data-dir DIR',
  'hub stop': 'stop the process of flotilla hub run (Ctrl-C, or systemctl stop)',
  'token list': 'flotilla get tokens',
  'token delete': 'flotilla delete token ID',
  'node list': 'flotilla get nodes',
  'node label':
    'flotilla label node NAME KEY=VALUE; values for pods: flotilla node parameters NODE KEY=VALUE',
  'node cordon': 'flotilla cordon NAME',
  'node delete': 'flotilla delete node NAME',
  'bundle list': 'flotilla get bundles',
  'bundle apply': 'flotilla apply -f FILE',
  'bundle delete': 'flotilla delete bundle NAME',
  'secret list': 'flotilla get secrets',
  'secret create': 'flotilla secret seal -f FILE --bundle NAME',
};

const WORKLOAD =
  'Flotilla runs Pods on every node that a bundle selects: flotilla get bundles, flotilla get pods';

/** Kinds of Kubernetes that the hub does not keep, by their names, short names and plurals. */
const KINDS: readonly (readonly [names: string, instead: string])[] = [
  [
    'deployment deployments deploy replicaset replicasets rs statefulset statefulsets sts job jobs cronjob cronjobs cj',
    WORKLOAD,
  ],
  [
    'service services svc ingress ingresses ing endpoints ep networkpolicy networkpolicies netpol',
    NO_SERVICE,
  ],
  [
    'configmap configmaps cm',
    'ConfigMaps are part of their bundle: flotilla get bundle NAME -o yaml',
  ],
  [
    'persistentvolume persistentvolumes pv persistentvolumeclaim persistentvolumeclaims pvc storageclass storageclasses sc',
    'volumes are those of the pods alone: docs/volumes.md',
  ],
  [
    'namespace namespaces ns',
    'a namespace is there while something is in it: flotilla get pods,bundles -A shows which, kubectl get ns lists them',
  ],
  ['container containers', 'flotilla describe pod NAME shows the containers of a pod'],
  ['image images', 'flotilla describe pod NAME shows the images of a pod'],
  ['revision revisions', 'flotilla rollout history bundle/NAME'],
  ['root roots', 'flotilla root show'],
];

/** What to type instead of a word that stands for no kind of the hub; null for one that nobody is known to type. */
export function insteadOfKind(word: string): string | null {
  const [name = ''] = word.toLowerCase().split('.');
  return KINDS.find(([names]) => names.split(' ').includes(name))?.[1] ?? null;
}

/** The commands of a program, or below one. */
interface Commands {
  readonly commands: readonly {
    name(): string;
    aliases(): string[];
    readonly commands: Commands['commands'];
  }[];
}

/** Throws `CliError` (refused) for a command that is none here where people are known to look for it. */
export function refuseOtherWords({ commands }: Commands, args: readonly string[]): void {
  const [first = '', second = ''] = args;
  const known = commands.find(one => one.name() === first || one.aliases().includes(first));
  const below = known?.commands ?? [];
  const isBelow = below.length > 0 && !below.some(one => one.name() === second);
  const words = known === undefined ? first : `${first} ${second}`;
  const table = known === undefined ? INSTEAD : BELOW;
  if ((known !== undefined && !isBelow) || !Object.hasOwn(table, words)) return;
  throw new CliError('refused', `flotilla has no command "${words}"`, table[words] ?? null);
}
