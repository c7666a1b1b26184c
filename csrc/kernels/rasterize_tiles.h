// Rasterisation by tiles, for the CPU: faces are sorted into the tiles they touch, and a thread
// draws a whole tile from its own list.
#pragma once
#include "rasterize.h"

namespace meshlearn {

// Binning: chunks of consecutive faces count into rows of their own, the rows are summed tile by
// tile in order, and the same chunks fill; so each tile lists its faces in ascending order.
template <class T>
struct RasterCount {
  RasterScene<T> scene;
  RasterBox* boxes;  // (N, F)
  int32_t* counts;   // (N, chunks, tiles), zero

  ML_HD void operator()(int64_t i) const {
    const int64_t view = i / scene.num_chunks, chunk = i % scene.num_chunks;
    int32_t* row = counts + i * scene.num_tiles();
    for (int64_t f = scene.chunk_begin(chunk); f < scene.chunk_begin(chunk + 1); ++f) {
      RasterFace face;
      RasterBox box{0, 0, -1, -1};
      if (scene.load(view, f, face)) box = scene.box(view, face);
      boxes[view * scene.num_faces + f] = box;
      if (box.x0 > box.x1) continue;
      for (int32_t y = box.y0 / kRasterTile; y <= box.y1 / kRasterTile; ++y)
        for (int32_t x = box.x0 / kRasterTile; x <= box.x1 / kRasterTile; ++x)
          ++row[static_cast<int64_t>(y) * scene.tiles_x + x];
    }
  }
};

struct RasterPrefix {
  int32_t* counts;  // (N, chunks, tiles): counts in, offsets within the tile out
  int64_t num_chunks, num_tiles;
  int64_t* totals;  // (N, tiles)

  ML_HD void operator()(int64_t i) const {
    const int64_t view = i / num_tiles, tile = i % num_tiles;
    int32_t sum = 0;
    for (int64_t c = 0; c < num_chunks; ++c) {
      int32_t& entry = counts[(view * num_chunks + c) * num_tiles + tile];
      const int32_t count = entry;
      entry = sum;
      sum += count;
    }
    totals[i] = sum;
  }
};

template <class T>
struct RasterFill {
  RasterScene<T> scene;
  const RasterBox* boxes;
  int32_t* offsets;      // (N, chunks, tiles), consumed
  const int64_t* start;  // (N tiles + 1,)
  int32_t* list;         // faces by tile

  ML_HD void operator()(int64_t i) const {
    const int64_t view = i / scene.num_chunks, chunk = i % scene.num_chunks;
    int32_t* row = offsets + i * scene.num_tiles();
    const int64_t* first = start + view * scene.num_tiles();
    for (int64_t f = scene.chunk_begin(chunk); f < scene.chunk_begin(chunk + 1); ++f) {
      const RasterBox box = boxes[view * scene.num_faces + f];
      if (box.x0 > box.x1) continue;
      for (int32_t y = box.y0 / kRasterTile; y <= box.y1 / kRasterTile; ++y)
        for (int32_t x = box.x0 / kRasterTile; x <= box.x1 / kRasterTile; ++x) {
          const int64_t tile = static_cast<int64_t>(y) * scene.tiles_x + x;
          list[first[tile] + row[tile]++] = static_cast<int32_t>(f);
        }
    }
  }
};

// What is seen of a pixel so far: the least (depth, face) after the one peeled off before.
struct RasterPixel {
  double z, e[3];
  double behind_z;
  int32_t owner;
  int32_t behind;  // face peeled off; -1: nothing to be peeled; -2: nothing was left already

  ML_HD void offer(int32_t f, double fz, const double* v) {
    if (owner >= 0 && !(fz < z)) return;  // faces come in ascending order
    if (behind >= 0 && !(fz > behind_z || (fz == behind_z && f > behind))) return;
    if (behind == -2) return;
    owner = f;
    z = fz;
    for (int k = 0; k < 3; ++k) e[k] = v[k];
  }
};

// One call owns one tile: faces outside, pixels inside. For the CPU.
template <class T>
struct RasterByTile {
  RasterScene<T> scene;
  const RasterBox* boxes;
  const int64_t* start;
  const int32_t* list;
  const int64_t* behind;  // (N, H, W) faces peeled off, or null
  RasterOutput<T> out;
  int64_t stride;  // coprime to the number of tiles: spreads them evenly over threads

  ML_HD void begin(RasterPixel& pixel, int64_t at, int64_t view, int32_t x, int32_t y) const {
    pixel.owner = pixel.behind = -1;
    if (behind == nullptr) return;
    const bool left = scene.depth_of(view, behind[at], x + 0.5, y + 0.5, pixel.behind_z);
    pixel.behind = left ? static_cast<int32_t>(behind[at]) : -2;
  }

  ML_HD void operator()(int64_t i) const {
    i = (i * stride) % (scene.num_views * scene.num_tiles());
    const int64_t view = i / scene.num_tiles(), tile = i % scene.num_tiles();
    const int32_t tx = static_cast<int32_t>(tile % scene.tiles_x) * kRasterTile;
    const int32_t ty = static_cast<int32_t>(tile / scene.tiles_x) * kRasterTile;
    const int32_t ex = tx + kRasterTile < scene.width ? tx + kRasterTile : scene.width;
    const int32_t ey = ty + kRasterTile < scene.height ? ty + kRasterTile : scene.height;
    const double near = static_cast<double>(scene.near[view]);
    const int64_t origin = view * scene.height * scene.width;
    if (start[i] == start[i + 1]) {
      const double none[3] = {0, 0, 0};
      for (int32_t y = ty; y < ey; ++y)
        for (int32_t x = tx; x < ex; ++x)
          out.put(origin + static_cast<int64_t>(y) * scene.width + x, -1, none, 0);
      return;
    }
    RasterPixel pixels[kRasterTile * kRasterTile];
    for (int32_t y = ty; y < ey; ++y)
      for (int32_t x = tx; x < ex; ++x)
        begin(pixels[(y - ty) * kRasterTile + (x - tx)],
              origin + static_cast<int64_t>(y) * scene.width + x, view, x, y);
    for (int64_t j = start[i]; j < start[i + 1]; ++j) {
      const int32_t f = list[j];
      const RasterBox box = boxes[view * scene.num_faces + f];
      RasterFace face;
      if (!scene.load(view, f, face)) continue;
      face.setup();
      const int32_t x0 = box.x0 > tx ? box.x0 : tx, x1 = box.x1 < ex - 1 ? box.x1 : ex - 1;
      const int32_t y0 = box.y0 > ty ? box.y0 : ty, y1 = box.y1 < ey - 1 ? box.y1 : ey - 1;
      for (int32_t y = y0; y <= y1; ++y) {
        const double py = y + 0.5;
        const double r0 = face.e[0].row(py), r1 = face.e[1].row(py), r2 = face.e[2].row(py);
        RasterPixel* row = pixels + (y - ty) * kRasterTile - tx;
        for (int32_t x = x0; x <= x1; ++x) {
          double e[3], z;
          if (face.hit(x + 0.5, r0, r1, r2, near, e, z)) row[x].offer(f, z, e);
        }
      }
    }
    for (int32_t y = ty; y < ey; ++y)
      for (int32_t x = tx; x < ex; ++x) {
        const RasterPixel& p = pixels[(y - ty) * kRasterTile + (x - tx)];
        out.put(origin + static_cast<int64_t>(y) * scene.width + x, p.owner, p.e, p.z);
      }
  }
};

}  // namespace meshlearn
