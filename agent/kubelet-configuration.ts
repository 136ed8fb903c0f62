/**
 * The fields of the kubelet's own configuration file (`kubelet.config.k8s.io/v1beta1`, v1.36). A file of
 * `kind: KubeletConfiguration` is taken unchanged: fields that mean something here are used, the others of this list
 * are named once in a warning, and anything else is an error.
 */

/** Known to the kubelet, without meaning here. */
export const OTHER_KUBELET_FIELDS: ReadonlySet<string> = new Set(
  `enableServer syncFrequency address port readOnlyPort tlsCertFile tlsPrivateKeyFile tlsCipherSuites tlsMinVersion tlsCurvePreferences rotateCertificates
  serverTLSBootstrap authentication authorization registryPullQPS registryBurst imagePullCredentialsVerificationPolicy
  preloadedImagesVerificationAllowlist eventRecordQPS eventBurst enableDebuggingHandlers enableContentionProfiling
  healthzPort healthzBindAddress oomScoreAdj streamingConnectionIdleTimeout
  nodeStatusUpdateFrequency nodeStatusReportFrequency nodeLeaseDurationSeconds volumeStatsAggPeriod kubeletCgroups systemCgroups cgroupRoot
  cgroupsPerQOS cgroupDriver cpuManagerPolicy cpuManagerPolicyOptions cpuManagerReconcilePeriod
  memoryManagerPolicy topologyManagerPolicy topologyManagerScope topologyManagerPolicyOptions qosReserved
  runtimeRequestTimeout hairpinMode podCIDR runOnce cpuCFSQuota cpuCFSQuotaPeriod
  nodeStatusMaxImages maxOpenFiles contentType kubeAPIQPS kubeAPIBurst evictionHard evictionSoft evictionSoftGracePeriod evictionPressureTransitionPeriod evictionMaxPodGracePeriod
  evictionMinimumReclaim mergeDefaultEvictionSettings podsPerCore enableControllerAttachDetach protectKernelDefaults
  makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit featureGates failSwapOn memorySwap
  containerLogMaxSize containerLogMaxFiles containerLogMaxWorkers containerLogMonitorInterval
  configMapAndSecretChangeDetectionStrategy systemReserved kubeReserved reservedSystemCPUs
  showHiddenMetricsForVersion systemReservedCgroup kubeReservedCgroup enforceNodeAllocatable
  volumePluginDir providerID kernelMemcgNotification logging enableSystemLogHandler
  enableSystemLogQuery shutdownGracePeriodByPodPriority
  reservedMemory enableProfilingHandler enableDebugFlagsHandler seccompDefault memoryThrottlingFactor
  registerWithTaints registerNode tracing localStorageCapacityIsolation containerRuntimeEndpoint imageServiceEndpoint
  userNamespaces`.split(/\s+/),
);
