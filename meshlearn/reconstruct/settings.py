"""The numbers that fits are run with, each with its unit and where it is from.

"By hand" says that a number was chosen by trying, on the meshes, scans and images of the
benchmarks, and follows from nothing. Lengths are in cells of the grid (the representation's
`scale`), pixels, or spacings of a point cloud, so that they hold for objects of any size. Numbers
that users pass are defaults here and arguments there.
"""

from __future__ import annotations

from typing import Any

# --- the loop: fitting.py -------------------------------------------------------------------------
LR = 0.02  # cells a step of Adam; by hand
BETAS = (0.9, 0.98)  # of Adam; the second a memory of 50 steps, for fits of hundreds; by hand
WARM_UP = 5  # steps to the full rate; by hand (Adam's first steps are of full length)
LAST_RATE = 0.05  # share of the rate that is left at the end of the cosine; by hand
GROWTH = 2.0  # steps of a stage, in steps of the one before; by hand

# --- what is said of a fit: agreement.py ----------------------------------------------------------
FAR_OFF = 3.0  # cells from the target from which on a part is said to be missing
BESIDE = (
    1e-3  # roots of a face's area, or cells, beside it, where the sides of a wall are looked at
)
COMPONENTS_COMPARED = 1000  # of a target whose topology is compared, for the table of their boxes

# --- faces of a fit that cross others: crossings.py -----------------------------------------------
CROSSINGS_FEW = 50  # faces and
CROSSINGS_SHARE = (
    0.05  # of the faces: where more cross others it is no matter of diagonals; by hand
)
CROSSINGS_ROUNDS = 3  # over those that still cross; by hand
TURNED_BY = 0.5  # cells from an edge to the diagonal that takes its place at most; by hand
MOVED_BY = 0.1  # cells that a vertex moves at most
MOVED_PARTS = (0.5, 1.0)  # of its way to the mean of its neighbours that are tried; by hand

# --- what sources and grids ask for: sources.py, methods.py ---------------------------------------
STEPS = 300  # of a fit; by hand
STEPS_OF_IMAGES = 200  # of a fit to images, unless normals alone have to find hollows; by hand
COARSE_FROM = 32  # cells from which on half of them come first; by hand
COARSE_FROM_WITH_DEPTH = 128  # the same with depth, whose start has thin parts that a coarse grid
# would lose; by hand
SPARSE_START = 64  # cells that a sparse grid begins with at most, all of them kept; by hand
SPARSE_LEAST = 16  # cells that it begins with at least; by hand
SPARSE_FROM = 32  # cells from which on a grid that need not be halved is halved once; by hand
HOLLOWS_BY_NORMALS: dict[str, Any] = {"lr": 0.05, "weights": {"normal": 6.0, "smooth": 0.03}}
# options of `fit` where normals, without depth, have to find hollows far from the hull: larger
# steps; by hand

# --- distances: targets/base.py -------------------------------------------------------------------
SOFT = 1e-4  # cells squared: below a hundredth of a cell a distance is smooth, to have a gradient
SAMPLES = 20_000  # points on each surface at each step; by hand

# --- meshes: targets/mesh.py, targets/boundary.py -------------------------------------------------
MESH_WEIGHTS = {"distance": 1.0, "normal": 0.1, "sharp": 0.1, "boundary": 0.2}  # by hand
SHARP_ANGLE = 30.0  # degrees between two faces; by hand
SHARP_SHARE = 4  # samples of the surface for each sample of its sharp edges; by hand
TEMPLATE_LEVEL = 0.12  # winding number of a template: at a boundary it goes on at 137 degrees from
# the inner side, nearly straight; by hand
TEMPLATE_SLOPE = 4.0  # parts of the size: the distance for a difference of 1 in winding; by hand
TEMPLATE_REACH = 1.5  # cells from the mesh beyond which a template is cut away; by hand
BOUNDARY_POINTS = 6000  # along all boundaries together; by hand
BOUNDARY_COMPARED = 4096  # of them that a step looks at, roughly; by hand
ON_BOUNDARY = 0.75  # steps between boundary points: nearer to one is on the boundary; by hand (half
# a step is the most along the boundary)

# --- fields: targets/field.py ---------------------------------------------------------------------
FIELD_WEIGHTS = {"distance": 1.0, "normal": 0.1}  # by hand
FIELD_CLAMP = 4.0  # cells at which distances to first order are cut off; by hand
LEAST_SLOPE = 1e-6  # of a field, to divide by

# --- points: targets/points.py --------------------------------------------------------------------
POINT_WEIGHTS = {"points": 1.0, "surface": 0.5, "normal": 0.05, "smooth": 0.1}  # by hand
LEAST_POINTS = 16  # to fit a surface to; by hand
LEAST_OF_PART = 4  # points that a part of a fit is nearest to: fewer enclose nothing
RING = 6  # neighbours that give the spacing, as many as around a vertex of a regular triangulation
NOISY = 0.16  # spacings of noise from which on points are smoothed first; by hand
NOISE_LEFT = 0.25  # share of the noise that is taken to be left then; by hand
STARTED_SHARE, STARTED_OFF = 0.95, 1.0  # so many of noisy points lie within so many spacings and
# noises of the surface that they make together, or it is not used; by hand
STARTED_PLACES, STARTED_MOST = 2, 200_000  # places on it for a point, and at most; by hand
STARTED_NEAR = 1.0  # spacings from a point, within which they are; by hand
STARTED_OPEN = 0.33  # share of it that is near no point, up to which a fit starts from it; by hand
STARTED_FROM = 20_000  # points that are nearly exact, from which on a fit starts from it, too: a
# winding number takes longer than all else then; by hand
STARTED_STEPS = 22  # of a fit that starts from it, all on the finest grid: of noisy points 15 are
# within 5 % of 300, and 30 within 1 %; of exact ones more are nearer, in more time; by hand
STARTED_LATTICE = 48  # nodes along the box, between which distances far from it are taken; by hand
NEAR_POINTS = 2.0  # spacings within which planes of points tell the side; by hand
GAP_SPACINGS = 1.5  # spacings that the surface goes on beyond a point, for gaps of the sampling are
GAP_CELLS = 0.75  # no openings; or so many cells, if that is more;
GAP_NOISE = 2.0  # and so many standard deviations of the noise; all by hand
SHEET_NEIGHBOURS = 4  # whose planes are averaged; by hand
WINDING_POINTS = 4000  # that the winding number is summed over, their areas scaled up; by hand
WINDING_INSIDE = 0.5  # winding number from which on a point is inside: half way from 0 to 1
WINDING_CHUNK = 4096  # queries at once: 200 MB for each array of differences
FLOOD_CELLS = (96, 64, 48, 32, 24, 16)  # along the box, tried until something is enclosed; by hand
FLOOD_REACH = 1.5  # spacings: radius of the balls that make the wall; by hand
FLOOD_WALL = 0.87  # cells of radius at least: half a diagonal, sqrt(3) / 2, so that walls are tight
FLOOD_POCKETS = 0.02  # of the wall, up to which what is enclosed is pockets within it; by hand
FLOOD_CLEAR = (
    0.5  # of the wall, from which on a flood tells what is enclosed without doubt; by hand
)
WINDING_DEEP = 0.75  # of points but for an opening: where a quarter of all directions lead out
SIDE_PLACES = 10_000  # by which openings are judged; by hand
DEEP_SHARE = (
    2 / 3
)  # of the inside that is so deep at least, of a space with an opening: bins have 0.7
# and more, a ball that is open at 0.3 of its radius 0.6, trays 0.3 to 0.5
WINDING_SANE = 0.6  # that a winding number may leave 0 to 1 by, if normals agree; by hand
FLOOD_PAD = 3.0  # radii of balls, or cells, of free space around the points; by hand

# --- point clouds before the fit: targets/point_normals.py ----------------------------------------
NOISE_SAMPLES = 4000  # points looked at: their median is known to 2 percent of its spread
NORMAL_NEIGHBOURS = 16  # whose plane gives a normal; by hand
SIGN_NEIGHBOURS = 8  # that signs are carried to; by hand
PARALLEL = 0.5  # cosine from which on two normals are of one sheet, 60 degrees; by hand
MIXED_SIGNS = 0.15  # of such pairs that point against each other, and are not back to back: signs
# are mixed; of a ball 0.5 at random, 0.26 where 15 % are turned, of thin plates 0.00; by hand
INSIDE_OUT = 0.2  # spread of the winding number within a cloud, of its median: a closed one has
# less (evenly sampled 0.01 to 0.09, vertices of uneven meshes to 0.27), a half one 0.23 and more
INSIDE_HALF = 0.5  # of the largest winding number, from which on a place is inside; by hand
TURNED = 2.5  # times farther below 0 than above the winding number of inward faces is; of a sheet
# it is one half on both sides
TURNED_LEAST = 0.8  # how far below 0 it is somewhere: in a shirt 0.9, half a ball 0.8, a dish of a
# quarter of one 0.74, which may be a valley seen from above
INSIDE_PROBES = 200  # faces whose middles are looked at beside that lattice; by hand
INSIDE_LATTICE = 16  # places along the box in which that is looked for; by hand
PARTS_TURNED = 32  # parts of a cloud at most, that are looked at each by itself; by hand
HELD_PROBES = 50  # points of a part that tell whether it lies within another; by hand
INSIDE_CLEAR = 3.0  # spacings that such a place is away from the points; by hand

# --- contours: targets/contours.py ----------------------------------------------------------------
CONTOUR_WEIGHTS = {"contours": 1.0, "smooth": 0.05}  # by hand
CONTOUR_SAMPLES = 4000  # points along all curves; by hand

# --- images: targets/images.py, targets/image_levels.py, targets/sheets.py ------------------------
IMAGE_WEIGHTS = {"mask": 1.0, "depth": 1.0, "normal": 1.0, "color": 4.0}  # by hand
IMAGE_SMOOTH = 0.1  # weight of the smoothness of a fit to images; by hand
VIEWS = 4  # cameras that a step looks through; by hand
COARSE_PART = 0.4  # of a stage, the first, that looks at images of half the size; by hand
PIXELS_OF_CELL = 2.0  # pixels that a cell takes at least in the images looked at; by hand
LEAST_HALVED = 96  # pixels of the shorter side of an image that is still halved; by hand
HULL_IMAGE = 320  # pixels of the longer side, at most, where hulls are carved; by hand
SHEET_IMAGE = 256  # pixels of the longer side, at most, on contact sheets; by hand
HULL_REACH = 0.03  # diagonals of the box at which the starting field is cut off; by hand
COVERED = 0.5  # share of a pixel from which on it counts as covered
SURELY_COVERED = 0.99  # share of a pixel whose colour is that of the surface alone; by hand
KNOWN_NORMAL = 0.25  # squared length between 0, no normal, and 1; rounding to 8 bits stays away
VALUE_SLACK = 1e-3  # that values may leave 0 to 1 by rounding
BACKGROUND_SLACK = 2 / 255  # of a colour, to count as the background: two levels of 8 bits; by hand
LEAST_COSINE = 0.05  # of a view, by which differences in depth count at least; by hand

# --- the hull of images: targets/visual_hull.py ---------------------------------------------------
SLACK = 2.0  # pixels that depth leaves to a shape: a slanted surface may be so far off its sample
REACH = 24  # pixels beyond which distances to a silhouette are not told apart; by hand
HULL_CHUNK = 1 << 18  # points at once: 3 MB for each array of positions
HULL_SEARCH = (48, 48, 64)  # cells along the box in which bounds are looked for, in turn; by hand
FAR_CAMERAS = 1e4  # distances between cameras, from the origin: float32 keeps 1/1000 of them then
AGREEMENT_CELLS = 32  # of a box around the object, by which masks are held together; by hand
AGREEMENT_SEARCH = (24, 24)  # cells along the box in which that is looked for, in turn; by hand
AGREEMENT_NAMED = 3  # views at most, that are named where masks disagree; by hand
AGREEMENT_BLAMED = 0.3  # of the blame of the worst, from which on a view is named; by hand
AGREEMENT_TOLD = 0.9  # share of the covered pixels that agree, below which it is told; by hand
AGREEMENT_LEAST = 0.1  # and refused: a hull that is as good as empty; by hand
UNSEEN_SLOPE, UNSEEN_LEAST = 0.1, 1e-3  # of the field where no camera looks: outside; by hand

# --- open surfaces in images: targets/open_surfaces.py --------------------------------------------
EVIDENCE_IMAGE = 160  # pixels of the longer side, at most, of images that are asked; by hand
NORMAL_DOUBT = 0.5  # cosine between normals that says neither yes nor no: 60 degrees; by hand
NORMAL_SLOPE = 4.0  # of the answer over the cosine; by hand
DEPTH_DOUBT = 2.0  # cells between depths that say neither yes nor no; by hand
LEAST_WEIGHT = 1e-3  # of all views of a vertex together, below which it was not seen; by hand
BACK_COSINE = 0.1  # of a normal with the ray, above which a back is seen: 6 degrees; by hand
BACK_SHARE = 0.005  # of the covered pixels that have to show a back; by hand
GAP_RIMS = (0.0, 0.3)  # shares of the pixels around a gap that have to, tried in turn; by hand
FILM_POINTS = 20_000  # of depth that a film is made of at most; by hand
FILM_LEAST = 100  # and at least; by hand
FILM_COSINE = 0.2  # of a view, for a pixel of depth to be one of them; by hand
EXPLAIN_CELLS = 48  # of the grid on which templates are compared; by hand
EXPLAIN_COSINE = 0.75  # between normals that agree; by hand
EXPLAIN_DEPTH = 1.5  # cells between depths that agree; by hand
UNSEEN_MSDF = 0.25  # what is not seen is kept as if it were seen so surely; by hand

# --- colours: targets/appearance.py, paint.py -----------------------------------------------------
ALBEDO_CELLS = 48  # samples along each side of the box; by hand
ALBEDO_MARGIN = 0.1  # sizes of the box, on each side; by hand
UNLIT = 0.5  # colour of an albedo of 1 where no light is fitted: the middle of 0 to 1
PAINT_PIXELS = 1_500_000  # looked at in all; by hand
PAINT_GRAZING = 1e-3  # weight of a pixel that is seen edge-on; else the cosine squared; by hand
PAINT_END = 1e-10  # of the first squared residual, at which conjugate gradients end; by hand

# --- tangent planes of points: poisson/planes.py --------------------------------------------------
PLANE_PAIRS = 1 << 18  # places times neighbours at once: 3 MB for each array of differences
PLANE_TURN = 0.4  # length of the difference of two normals, 23 degrees; by hand
PLANE_ACROSS = 3.0  # noises that a point may be off across the surface; by hand
PLANE_SLACK = 0.7  # standard deviations of an offset by which two of them may differ; by hand

# --- scans before they are a surface: poisson/noise.py, poisson/orientation.py --------------------
NEAR_RING = 4  # nearest points that a speck has, too; by hand
AREA_MOST = (
    8.0  # times the area that they tell, at most: random points on planes stay below; by hand
)
NOISE_RINGS = (16, 32, 64, 128)  # neighbourhoods that tell the noise, narrow ones first; by hand
NOISE_FLAT = 0.25  # of a neighbourhood's radius: noise below is told by it; by hand
NOISE_DETAILS = 0.2  # of what twice the neighbours leave more, that is no noise; by hand
QUADRIC_FREEDOM = 6  # coefficients of a quadric
OUTLIER_ROUNDS = 6  # by hand
OUTLIER_NEIGHBOURS = 24  # by hand
OUTLIER_USUAL = 0.25  # quantile of the neighbours' distances that is usual among them; by hand
OUTLIER_FACTOR = 2.0  # by hand
OUTLIER_FAR = 3.0  # of the median of all; by hand
OUTLIER_FLAT = 0.05  # share of the variance across a neighbourhood that is a surface; by hand
ORIENT_NEIGHBOURS = 12  # whose plane is a first direction, and
ORIENT_NOISE = 90.0  # more of them for a noise of one spacing; by hand
ORIENT_MOST = 120  # at most; by hand
ORIENT_REFINED = 40.0  # more of smoothed points, for a noise of one spacing; by hand
ORIENT_ROUNDS = 2  # of smoothing and directions; by hand
ORIENT_TURN = 0.5  # length of the difference of two normals whose points are of one face; by hand
ORIENT_QUADRIC = 0.2  # spacings of noise up to which they are those of quadrics, of
ORIENT_BENT, ORIENT_BENT_NOISE = 10, 40.0  # neighbours, and more for a noise of one; by hand
ORIENT_CARRIED = 20_000  # points at most whose sides are carried by neighbours; by hand
ORIENT_NODES = 96  # of the grid on which the whole decides; by hand
ORIENT_TURNS = 20  # rounds of turning at most; by hand
ORIENT_SIGMA = 2.5  # cells, of its first rounds; by hand
WIDTHS = (0.6, 1.0, 3.3)  # spacings: the least width, the same of noisy points, the widest; by hand
WIDTH_NOISE = 1.4  # spacings of least width for a noise of one; by hand
WIDTH_OF_NOISE = 16.0  # spacings of width at most for a noise of one; by hand
WIDTH_SHARE = 12.0  # neighbours for a width of one spacing; by hand
WIDTH_POINTS = 150  # at most; by hand

# --- the surface of a scan: poisson/surface.py ----------------------------------------------------
POISSON_PAD = 1.25  # sides of the points' box that repeats; by hand
POISSON_CELLS = 0.5  # spacings of a cell; by hand
POISSON_LEAST, POISSON_MOST = 48, 256  # cells along the box, where none are asked for; by hand
POISSON_SIGMA = 1.0  # cells of smoothing; by hand
POISSON_REACH = 0.45  # spacings of smoothing at least; by hand
COARSE_STEP = 1e-3  # of the size: steps of coordinates that are told; by hand
POISSON_BORDER = 0.1  # of the indicator at the border of its box, at least: outside
DRAWN_BELOW = 0.15  # spacings of noise up to which vertices are drawn onto the points; by hand
DRAWN_WIDTH = 0.7  # spacings; by hand
DRAWN_NEIGHBOURS = 16  # by hand
DRAWN_REACH = 1.5  # spacings from the nearest point, at which it ends; by hand
DRAWN_STEP = 1.0  # cells that a vertex moves at most; by hand
STRAY = (
    4.0  # noises, and half a spacing, that a point may be off the surface of the others; by hand
)
CONFIDENT = 12  # points whose density is a vertex's confidence; by hand
POISSON_POINTS = 1_000_000  # beyond so many they are thinned: 3 to 15 for a cell of 256; by hand
POISSON_LIMIT = 2048  # cells along the box: 0.5 GB for each array of values near the surface
EXACT = 0.02  # spacings of noise up to which points are not moved; by hand
TRIM_INSET = 0.5  # spacings that a rim is beyond its outermost points: half of what each stands for
TRIM_NOISE = 2.0  # noises, up to twice which a rim's spikes are wide that go; by hand
TRIM_RIMS = 8  # places of a rim that are looked at for one that faces the same way; by hand
THIN = 1e-3  # of the greatest spread: a line or a plane; by hand

# --- screening: poisson/screened.py ---------------------------------------------------------------
SCREEN_REACH = 0.5  # cells from the points within which the change fades in; by hand
SCREEN_NODES = 96  # of the grid on which the change is solved for; by hand
SCREEN_STEPS = 25  # of conjugate gradients at most; by hand
SCREEN_END = 1e-6  # of the first squared residual, at which they end; by hand
SCREEN_FROM, SCREEN_UPTO = 0.03, 0.2  # mean size of the indicator at points, 0 to 0.5, where it is
# done: below, points are met; above, it is sides that are in doubt; by hand
SCREEN_NOISE = 0.15  # more of it for a noise of one spacing, which is not to be met; by hand

# --- cells near points alone: poisson/fine.py, poisson/bricks.py ----------------------------------
FINE_FROM = (200, 320)  # nodes along the box of exact points, and of noisy ones, beyond which they
# are near points alone: quicker; exact points are met better, noisy ones 2 or 3 % worse; by hand
FINE_START = 160  # nodes of the grid that fills the box then, at most; by hand
FINE_BAND = 3  # cells around points and the level before, at least
FINE_SIGMA = (0.2, 0.5, 0.75)  # smoothing: spacings of exact points, noises added, and spacings at
# most; by hand
FINE_WIDE = (
    1.6  # cells of smoothing, or of this share of a spacing, beyond which points are too far
)
FINE_SMOOTH = 0.4  # apart to shape a level, which is then smooth between the nodes before; by hand
FINE_HEAT = 0.25  # squared cells of smoothing in one step of heat: 1/3 is the end of stability
FINE_LENGTH = 0.5  # cells within which bends are drawn to the points, see (P6), at least,
FINE_SPACINGS = 0.25  # spacings, and
FINE_NOISES = 20.0  # noises; by hand
FINE_STEPS = 30  # of conjugate gradients at most; by hand
FINE_END = 1e-4  # of the first squared residual, at which they end; by hand

# --- gaps of scans: poisson/gaps.py ---------------------------------------------------------------
GAP_REACH = 2.0  # times the side of what a point stands for, away from which a gap begins; by hand
GAP_FIELD_CELLS = 1.0  # of the grids below, that it is away at least: nearer they tell nothing
GAP_SHARE = 0.002  # of a closed surface that is gaps, from which on they are looked at; by hand
GAP_NODES = (12, 24, 48)  # of the grids; by hand
GAP_STEPS = (100, 60, 40)  # of conjugate gradients on each at most; by hand
GAP_END = 1e-9  # of the right side's squared size, at which they end; by hand
GAP_PLACES = 400.0  # of squared distances, in boxes, beside squared slopes: a slope that is off by
# 1 counts as a distance of a twentieth of the box; by hand
GAP_BEND = 1e-4  # of squared second derivatives; by hand
GAP_BORDER = 0.1  # of squared differences from the distance at the border of the box; by hand
GAP_DIAGONAL = 0.3  # of a squared trilinear weight on average, (2/3)^3
GAP_POINTS = 20_000  # points that it is fitted to at most; by hand
GAP_MOST = 200_000  # points that are added at most, before those near others are left out
GAP_RIM = 5.0  # times the side of what a point stands for, from the film, up to which it is at the
# rim of a gap; by hand
GAP_QUADRIC = 40  # neighbours that give a normal at a rim; by hand
