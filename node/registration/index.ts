// How the kubelet comes to know the driver.
//
// In: the driver's name, where the kubelet finds its socket, what the kubelet answers. Out: the kubelet's plugin
// registration service; a debt that is paid while the kubelet says that the driver is registered.
// Never: registers anything by itself: the kubelet finds the socket in its folder and asks.
// Source: Kubernetes, kubelet plugin registration, k8s.io/kubelet/pkg/apis/pluginregistration/v1.

export { Registration, type RegistrationOptions, registrationSocket } from './registration.ts'
