/** Every setting of the configuration file, with what it is for: what `flotilla-agent config --example` prints. `docs/agent.yaml` is the same text. */
export const CONFIG_EXAMPLE = `# Every setting of the agent (docs/node.md, Settings): flotilla-agent run --config FILE. What is left out has its default.
# A kubelet's own KubeletConfiguration is taken as well.
kind: AgentConfiguration

# Who it is, and where things lie
dataDir: /var/lib/flotilla-agent # as --data-dir
nodeName: edge-1 # as joined, else the host's name
nodeLabels: { site: harbour } # for nodeSelector and affinity
runtime: engine # none: a kubelet runs what lies in the directory
engineSocket: /var/run/docker.sock # or Podman's
# kubeletPods: http://127.0.0.1:10255/pods    # with runtime: none alone
apiListen: 127.0.0.1:10255 # for scrapers; default: none
podLogsDir: /var/log/pods

# Where pods come from
staticPodPath: /var/lib/flotilla-agent/manifests
fileCheckFrequency: 20s
staticPodURL: https://pods.example.com/edge-1.yaml # default: none
staticPodURLHeader:
  Authorization: [Bearer 0123456789] # keep this file at mode 0600 then
httpCheckFrequency: 20s
drift: restore # report: what a person changed stays until the bundle's next switch
revokedBundles: keep # stop: pods whose bundle the root withdrew end

# When, and how much
maintenanceWindows: # default: none, at any time
  - { schedule: '0 22 * * *', duration: 8h, timeZone: America/New_York }
keepAliveMax: 5m
linkBudget: 20Mi # a month; default: none
writeBudget: 2Mi # a day; default: none
remoteAccess: [logs] # of logs, exec, attach, portForward; [] is nothing

# What the journal keeps
journalMaxRows: 1000
journalMaxAge: 17520h
journalMaxBytes: 4194304
outboxMaxEvents: 10000
outboxMaxBytes: 4194304

# What may run
admission: # docs/admission.md
  bundle:
    podSecurity: baseline
    minHostPort: 1024
    requireDigests: false
  file: { podSecurity: privileged }
  http: { podSecurity: privileged }
allowSecretEnv: false
allowedUnsafeSysctls: [] # such as net.core.*
maxPods: 110
podPidsLimit: -1
singleProcessOOMKill: false
clusterDNS: []
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf # default: the node's
maxContainerRestartPeriod: 300s

# Images
registryCredentials: /etc/flotilla/registry.json # mode 0600; default: none
serializeImagePulls: false
maxParallelImagePulls: 3
imagePullMaxBytes: 0 # 0: no maximum
imageGarbageCollection: false
imageGCHighThresholdPercent: 85
imageGCLowThresholdPercent: 80
imageMinimumGCAge: 2m
imageMaximumGCAge: 0s

# When the machine goes down
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
`;
