/**
 * What documents on the wire have in common: zlib's preset dictionary (RFC 1950, 2.2) of the packed form of envelopes. It is part of that
 * form: one letter changed, and nobody understands what others packed. A better one needs a new first byte (`packed-envelope.ts`). What
 * is most often sent stands last, where a reference to it is shortest.
 */
import { inflateRawSync } from 'node:zlib';

const TEXTS: readonly string[] = [
  // A root.
  '"denied":[],"epoch":1,"expires":"floors":{},"limits":{"podsPerBundle":"minAgent":null,"roles":{"hub":{"keys":["release":[{"bundles":["*/*"],',
  '"scopes":[{"hostPaths":[],"keys":["maxNodes":null,"minHostPort":1024,"nodeLabels":{},"podSecurity":"baseline","threshold":1}],"root":{"keys":',
  '"secrets":null},"tls":{"pins":[',
  // A command, an answer, a sealed Secret, a request.
  '"command":"key":null,"refusal":null,"request":"absent":[],"published":["time":"',
  '"recipient":"sealed":"version":',
  '"data":"","found":true,"last":true,"n":0,"counter":"digests":[],"want":"time","want":"blobs","want":"assignment",',
  // A bundle.
  '"images":[{"digests":[],"image":"docker.io/library/},{"digests":["sha256:"image":"registry.example.com/',
  '"issued":"20:00:00.000Z","manifests":[{"digest":"","kind":"ConfigMap","name":"},{"digest":"","kind":"Pod","name":"","parts":[],"size":',
  '"requires":{"arch":[],"hardware":[],"minAgent":null},"revision":1,"rollbackFloor":1,"secrets":[],',
  '"strategy":{"minReadySeconds":10,"onFailure":"rollback","progressDeadlineSeconds":600}}',
  // Events.
  '"events":[{"at":"2026-","involved":{"fieldPath":"spec.containers{","kind":"Bundle","kind":"Node","kind":"Pod","name":"namespace":"default",',
  '"uid":""},"message":"Back-off restarting failed container","message":"Started container ","n":1,"reason":"BackOff","reason":"Killing",',
  '"reason":"Pulled","reason":"Created","reason":"Started","type":"Warning"},"type":"Normal"}],"oldest":',
  // A pod.
  '"bundle":{"name":"","namespace":"default","revision":1},"pod":{"apiVersion":"v1","kind":"Pod","metadata":{"annotations":{"flotilla.dev/bundle":',
  '"flotilla.dev/manifest":"kubernetes.io/config.hash":"kubernetes.io/config.seen":"kubernetes.io/config.source":"file"},"creationTimestamp":null,',
  '"labels":{"app":"},"name":"namespace":"default","uid":"},"source":"bundle","source":"file","status":{"conditions":[{"lastProbeTime":null,',
  '"lastTransitionTime":"2026-","message":"containers with unready status: [","reason":"ContainersNotReady","status":"False","type":"',
  '"status":"True","type":"PodReadyToStartContainers"},{"status":"True","type":"Initialized"},"status":"True","type":"Ready"},',
  '"status":"True","type":"ContainersReady"},"status":"True","type":"PodScheduled"}],"containerStatuses":[{"containerID":"docker://","image":"',
  '"imageID":"sha256:","lastState":{"terminated":{"containerID":"docker://","exitCode":137,"finishedAt":"2026-","reason":"OOMKilled","reason":"Error",',
  '"reason":"Completed","startedAt":"2026-"}},"lastState":{},"name":"main","ready":false,"ready":true,"resources":{"limits":{"cpu":"memory":"Mi"},',
  '"requests":{"cpu":"restartCount":0,"started":true,"state":{"waiting":{"message":"reason":"CrashLoopBackOff","reason":"ContainerCreating"}},',
  '"state":{"running":{"startedAt":"2026-"}}}],"hostIP":"hostIPs":[{"ip":"initContainerStatuses":[],"observedGeneration":"phase":"Pending",',
  '"phase":"Succeeded","phase":"Failed","phase":"Running","podIP":"podIPs":[{"ip":"172.17.0.","qosClass":"Guaranteed","qosClass":"BestEffort",',
  '"qosClass":"Burstable","startTime":"2026-"}}',
  // What the hub and a node say of themselves.
  '{"epoch":1,"fleet":"","online":false,"sealingKey":"session":"{"boot":1,"fleet":"","journal":"","n":1,"node":"","online":true,"session":"',
  '{"fleet":"","number":1,"store":"',
  // An acknowledgement.
  '{"boot":1,"counter":1,"fleet":"","history":0,"journal":"","node":"","pods":{},"row":1,"through":1}',
  // An assignment.
  '{"bundles":[{"attempt":0,"digest":"","name":"","namespace":"default","revision":1,"size":1}],"epoch":1,"fleet":"","generation":1,',
  '"issued":"2026-","node":"","nodeKey":"","nonce":null,"notAfter":"2027-","parameters":{},"rootVersion":1,"secrets":[{"bundle":"","digest":"}]}',
  // A status.
  '{"allocatable":{"cpu":"4","memory":"Ki","pods":"110"},"at":"2026-","boot":1,"bundles":[{"active":"","attempt":0,"digest":"","failed":null,',
  '"message":" manifests in the static pod directory","name":"","namespace":"default","reason":"FilesWritten","reason":"Ready","revision":1,',
  '"since":"2026-","state":"failed"},"state":"rolledBack"},"state":"waiting"},"state":"activating"},"state":"progressing"},"state":"healthy"}],',
  '"capacity":{"cpu":"4","memory":"Ki","pods":"110"},"clock":"floor","clock":"synced","clockOffset":0,"conditions":[{"lastTransitionTime":"2026-",',
  '"message":"","reason":"","status":"False","type":""},{"status":"True","type":""}],"counter":1,"development":true,"development":false,"epoch":1,',
  '"fleet":"","generation":1,"history":{"head":"","known":{"hash":"","row":1},"row":1},"info":{"addresses":[{"address":"192.168.","type":"InternalIP"},',
  '{"address":"fd00::","type":"InternalIP"},{"address":"","type":"Hostname"}],"agentVersion":"0.1.0","architecture":"arm64","architecture":"amd64",',
  '"bootID":"","containerRuntimeVersion":"docker://","kernelVersion":"6.","machineID":"","operatingSystem":"linux",',
  '"osImage":"Debian GNU/Linux 12 (bookworm)"},"journal":"","lastRefusal":null,"node":"","pods":{"default/":{"digest":"","phase":"Running","ready":true},',
  '"reads":{"ack":[1],"answer":[1],"assignment":[1],"bundle":[1],"command":[1],"hub":[1],"root":[1],"secret":[1],"time":[1]},"rootVersion":1}',
];

export const PACKED_DICTIONARY: Uint8Array = Buffer.from(TEXTS.join(''));

/** What was deflated with it; null for what was not, or has more behind it. Never gives more than `bytesMax`. */
export function inflated(bytes: Uint8Array, bytesMax: number): Buffer | 'too large' | null {
  const options = { dictionary: PACKED_DICTIONARY, maxOutputLength: Math.max(1, bytesMax) };
  try {
    // With `info` it is another answer than the types say (nodejs.org/api/zlib.html); zlib passes over what follows.
    const { buffer, engine } = inflateRawSync(bytes, { ...options, info: true }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    return engine.bytesWritten < bytes.byteLength ? null : buffer;
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'too large' : null;
  }
}
