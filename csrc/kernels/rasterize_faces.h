// Rasterisation face by face, for the GPU: each offers itself to its pixels, in any order. A
// pixel keeps the least depth, and then the lowest of the faces that have it. A least does not
// depend on the order of offers, so no list is sorted and the result is always the same.
#pragma once
#include <cstring>

#include "rasterize_backward.h"

namespace meshlearn {

constexpr int32_t kPatchWidth = 8, kPatchHeight = 4;

// `*at` becomes the larger of the two. On the CPU for one thread alone.
template <class T>
ML_HD void keep_larger(T* at, T value) {
#if defined(__CUDA_ARCH__)
  atomicMax(at, value);
#else
  if (*at < value) *at = value;
#endif
}

using RasterKey = unsigned long long;

// The nearer a depth, the larger its key, which is never 0. Both zeros have one key.
ML_HD RasterKey raster_key(double z) {
  z += 0.0;
  RasterKey bits;
  std::memcpy(&bits, &z, sizeof bits);
  return bits >> 63 ? bits : ~bits & ~(RasterKey(1) << 63);
}

ML_HD int64_t raster_patches(const RasterBox& box) {
  if (box.x0 > box.x1) return 0;
  return static_cast<int64_t>((box.x1 - box.x0) / kPatchWidth + 1) *
         ((box.y1 - box.y0) / kPatchHeight + 1);
}

// The box of each face; one that is larger than a patch is cut, so that no thread walks it alone.
template <class T>
struct RasterMeasure {
  RasterScene<T> scene;
  RasterBox* boxes;  // (N, F)
  int64_t* counts;   // (N F,) patches where there are more than one

  ML_HD void operator()(int64_t i) const {
    RasterFace face;
    RasterBox box{0, 0, -1, -1};
    const int64_t view = i / scene.num_faces;
    if (scene.load(view, i % scene.num_faces, face)) box = scene.box(view, face);
    boxes[i] = box;
    const int64_t count = raster_patches(box);
    counts[i] = count > 1 ? count : 0;
  }
};

// Jobs: each face that is one patch, then the patches of the others. So a mesh of small faces,
// which is most of what a GPU is given, looks nothing up.
struct RasterJobs {
  const RasterBox* boxes;  // (N, F)
  const int64_t* start;    // (N F + 1,) first of the patches of each face that has several
  int64_t rows;            // N F

  // The pixels of a job, none where a face has other jobs; `row`: view times F plus face.
  ML_HD RasterBox at(int64_t job, int64_t& row) const {
    row = job;
    if (job < rows) return start[row] == start[row + 1] ? boxes[row] : RasterBox{0, 0, -1, -1};
    const int64_t patch = job - rows;
    int64_t low = 0, high = rows;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (start[middle] <= patch ? low : high) = middle;
    }
    row = low;
    const RasterBox box = boxes[row];
    const int64_t columns = (box.x1 - box.x0) / kPatchWidth + 1, local = patch - start[row];
    const int32_t x = box.x0 + static_cast<int32_t>(local % columns) * kPatchWidth;
    const int32_t y = box.y0 + static_cast<int32_t>(local / columns) * kPatchHeight;
    const int32_t right = x + kPatchWidth - 1, lower = y + kPatchHeight - 1;
    return {x, y, right < box.x1 ? right : box.x1, lower < box.y1 ? lower : box.y1};
  }
};

// Key of the face that is peeled off at each pixel; 0 where nothing was left.
template <class T>
struct RasterPeel {
  RasterScene<T> scene;
  const int64_t* behind;  // (N, H, W)
  RasterKey* key;         // (N, H, W)

  ML_HD void operator()(int64_t pixel) const {
    const double x = static_cast<double>(pixel % scene.width) + 0.5;
    const double y = static_cast<double>(pixel / scene.width % scene.height) + 0.5;
    const int64_t view = pixel / scene.width / scene.height;
    double z;
    key[pixel] = scene.depth_of(view, behind[pixel], x, y, z) ? raster_key(z) : 0;
  }
};

// One call offers one job: first its depths, then, where one of them is the nearest, its face.
template <class T, bool kFaces>
struct RasterOffer {
  RasterScene<T> scene;
  RasterJobs jobs;
  const int64_t* behind;        // (N, H, W) faces peeled off, or null
  const RasterKey* behind_key;  // (N, H, W)
  RasterKey* nearest;           // (N, H, W), 0 where nothing is
  int32_t* owner;               // (N, H, W): number of faces - face, 0 where none

  ML_HD void operator()(int64_t job) const {
    int64_t row;
    const RasterBox box = jobs.at(job, row);
    if (box.x0 > box.x1) return;
    const int64_t view = row / scene.num_faces, f = row % scene.num_faces;
    const double near = static_cast<double>(scene.near[view]);
    RasterFace face;
    if (!scene.load(view, f, face)) return;
    face.setup();
    for (int32_t y = box.y0; y <= box.y1; ++y) {
      const double py = y + 0.5;
      const double r0 = face.e[0].row(py), r1 = face.e[1].row(py), r2 = face.e[2].row(py);
      const int64_t line = (view * scene.height + y) * scene.width;
      for (int32_t x = box.x0; x <= box.x1; ++x) {
        double e[3], z;
        if (face.hit(x + 0.5, r0, r1, r2, near, e, z)) offer(line + x, f, raster_key(z));
      }
    }
  }

  ML_HD void offer(int64_t pixel, int64_t f, RasterKey key) const {
    if (behind != nullptr) {
      const RasterKey least = behind_key[pixel];
      if (key > least || (key == least && f <= behind[pixel])) return;
    }
    if (!kFaces) {
      if (key > nearest[pixel]) keep_larger(nearest + pixel, key);
    } else if (key == nearest[pixel]) {
      keep_larger(owner + pixel, static_cast<int32_t>(scene.num_faces - f));
    }
  }
};

// Barycentrics and depth of the face that each pixel kept.
template <class T>
struct RasterResolve {
  RasterScene<T> scene;
  const int32_t* owner;
  RasterOutput<T> out;

  ML_HD void operator()(int64_t pixel) const {
    const double x = static_cast<double>(pixel % scene.width) + 0.5;
    const double y = static_cast<double>(pixel / scene.width % scene.height) + 0.5;
    const int64_t view = pixel / scene.width / scene.height;
    double e[3] = {0, 0, 0}, z = 0;
    int64_t f = -1;
    RasterFace face;
    if (owner[pixel] > 0 && scene.load(view, scene.num_faces - owner[pixel], face)) {
      face.setup();
      if (face.hit(x, y, static_cast<double>(scene.near[view]), e, z))
        f = scene.num_faces - owner[pixel];
    }
    out.put(pixel, f, e, z);
  }
};

// Gradient of a face that is one job; of others the part of each patch.
template <class T>
struct RasterJobGrad {
  RasterFaceGrad<T> of_face;
  RasterJobs jobs;
  double* part;  // (patches, 12)

  ML_HD void operator()(int64_t job) const {
    int64_t row;
    const RasterBox box = jobs.at(job, row);
    const bool whole = job < jobs.rows;
    if (whole && jobs.start[row] != jobs.start[row + 1]) return;
    double sum[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    RasterFace tri{};
    const int64_t faces = of_face.scene.num_faces;
    if (box.x0 <= box.x1 && of_face.scene.load(row / faces, row % faces, tri))
      of_face.add_box(row, tri, box, sum);
    for (int k = 0; k < 12; ++k) {
      if (whole)
        of_face.grad_corner[12 * row + k] = static_cast<T>(sum[k]);
      else
        part[12 * (job - jobs.rows) + k] = sum[k];
    }
  }
};

// One call sums one of the 12 entries of a face over its patches, in order.
template <class T>
struct RasterPatchSum {
  const double* part;
  const int64_t* start;  // (N F + 1,)
  T* grad_corner;        // (N, F, 3, 4)

  ML_HD void operator()(int64_t i) const {
    const int64_t row = i / 12, entry = i % 12;
    if (start[row] == start[row + 1]) return;
    double sum = 0;
    for (int64_t p = start[row]; p < start[row + 1]; ++p) sum += part[12 * p + entry];
    grad_corner[i] = static_cast<T>(sum);
  }
};

}  // namespace meshlearn
