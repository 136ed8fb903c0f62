/**
 * The fields of the kubelet's own configuration file (`kubelet.config.k8s.io/v1beta1`, v1.36). A file of
 * `kind: KubeletConfiguration` is taken unchanged: fields that mean something here are used, the others of this list
 * are named once in a warning, and anything else is an error.
 */

/** Used here with the kubelet's meaning. */
export const MEANINGFUL_KUBELET_FIELDS = ['staticPodPath', 'fileCheckFrequency'] as const;

/** Would change what runs if it were passed over: refused with a sentence until it is supported. */
export const REFUSED_KUBELET_FIELDS = ['staticPodURL', 'staticPodURLHeader'] as const;

/** Known to the kubelet, without meaning here. */
export const OTHER_KUBELET_FIELDS: ReadonlySet<string> = new Set(
  `enableServer syncFrequency httpCheckFrequency address port readOnlyPort podPidsLimit
  tlsCertFile tlsPrivateKeyFile tlsCipherSuites tlsMinVersion tlsCurvePreferences rotateCertificates
  serverTLSBootstrap authentication authorization registryPullQPS registryBurst imagePullCredentialsVerificationPolicy
  preloadedImagesVerificationAllowlist eventRecordQPS eventBurst enableDebuggingHandlers enableContentionProfiling
  healthzPort healthzBindAddress oomScoreAdj clusterDomain clusterDNS streamingConnectionIdleTimeout
  nodeStatusUpdateFrequency nodeStatusReportFrequency nodeLeaseDurationSeconds imageMinimumGCAge imageMaximumGCAge
  imageGCHighThresholdPercent imageGCLowThresholdPercent volumeStatsAggPeriod kubeletCgroups systemCgroups cgroupRoot
  cgroupsPerQOS cgroupDriver cpuManagerPolicy singleProcessOOMKill cpuManagerPolicyOptions cpuManagerReconcilePeriod
  memoryManagerPolicy topologyManagerPolicy topologyManagerScope topologyManagerPolicyOptions qosReserved
  runtimeRequestTimeout hairpinMode maxPods podCIDR resolvConf runOnce cpuCFSQuota cpuCFSQuotaPeriod
  nodeStatusMaxImages maxOpenFiles contentType kubeAPIQPS kubeAPIBurst serializeImagePulls maxParallelImagePulls
  evictionHard evictionSoft evictionSoftGracePeriod evictionPressureTransitionPeriod evictionMaxPodGracePeriod
  evictionMinimumReclaim mergeDefaultEvictionSettings podsPerCore enableControllerAttachDetach protectKernelDefaults
  makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit featureGates failSwapOn memorySwap
  containerLogMaxSize containerLogMaxFiles containerLogMaxWorkers containerLogMonitorInterval
  configMapAndSecretChangeDetectionStrategy systemReserved kubeReserved reservedSystemCPUs
  showHiddenMetricsForVersion systemReservedCgroup kubeReservedCgroup enforceNodeAllocatable
  allowedUnsafeSysctls volumePluginDir providerID kernelMemcgNotification logging enableSystemLogHandler
  enableSystemLogQuery shutdownGracePeriod shutdownGracePeriodCriticalPods shutdownGracePeriodByPodPriority
  crashLoopBackOff reservedMemory enableProfilingHandler enableDebugFlagsHandler seccompDefault memoryThrottlingFactor
  registerWithTaints registerNode tracing localStorageCapacityIsolation containerRuntimeEndpoint imageServiceEndpoint
  userNamespaces`.split(/\s+/),
);
