// The CUDA side of the one interface a driver is written against (see exec_cpu.h for the other).
#pragma once
#include <cuda_runtime.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <cub/device/device_scan.cuh>

#include "tensor.h"

namespace meshlearn {

#define ML_CUDA_CHECK(call)                                                               \
  do {                                                                                    \
    cudaError_t ml_status_ = (call);                                                      \
    STD_TORCH_CHECK(ml_status_ == cudaSuccess, "CUDA: ", cudaGetErrorString(ml_status_)); \
  } while (0)

template <class F>
__global__ void for_each_kernel(int64_t n, F f) {
  int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    f(i);
}

struct CudaExec {
  cudaStream_t stream;
  Tensor like;

  explicit CudaExec(const Tensor& t) : like(t) {
    void* raw = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(t.get_device_index(), &raw));
    stream = static_cast<cudaStream_t>(raw);
  }

  template <class F>
  void for_each(int64_t n, int64_t /*grain*/, F f) const {
    if (n <= 0) return;
    constexpr int kBlock = 256;
    int64_t blocks = (n + kBlock - 1) / kBlock;
    if (blocks > (1 << 20)) blocks = 1 << 20;
    for_each_kernel<<<static_cast<unsigned>(blocks), kBlock, 0, stream>>>(n, f);
    ML_CUDA_CHECK(cudaGetLastError());
  }

  template <class T>
  T exclusive_scan(const T* in, T* out, int64_t n) const {
    ML_CUDA_CHECK(cudaMemsetAsync(out, 0, sizeof(T), stream));
    if (n == 0) return 0;
    size_t bytes = 0;
    ML_CUDA_CHECK(cub::DeviceScan::InclusiveSum(nullptr, bytes, in, out + 1, n, stream));
    Tensor temp = empty<uint8_t>(like, {static_cast<int64_t>(bytes)});
    ML_CUDA_CHECK(
        cub::DeviceScan::InclusiveSum(temp.mutable_data_ptr(), bytes, in, out + 1, n, stream));
    return read(out + n);
  }

  template <class T>
  T read(const T* p) const {
    T value;
    ML_CUDA_CHECK(cudaMemcpyAsync(&value, p, sizeof(T), cudaMemcpyDeviceToHost, stream));
    ML_CUDA_CHECK(cudaStreamSynchronize(stream));
    return value;
  }
  void fill_zero(void* p, int64_t bytes) const {
    if (bytes > 0) ML_CUDA_CHECK(cudaMemsetAsync(p, 0, bytes, stream));
  }
};

}  // namespace meshlearn
