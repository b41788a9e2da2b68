// Registers a device guard for "cuda" that does nothing, so that a build of torch without CUDA can run
// fake tensors (shapes and devices, no values) on a pretended CUDA device.
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace {
struct PretendedCuda : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA> {};
c10::impl::DeviceGuardImplRegistrar registrar(c10::DeviceType::CUDA, new PretendedCuda());
}  // namespace
