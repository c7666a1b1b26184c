// The Python module `meshlearn._io`: what reading, writing and checking files needs of compiled
// code. It links no torch, so that a small file is converted before torch would have been loaded.
#include "call.h"

static PyModuleDef io_module = {PyModuleDef_HEAD_INIT,
                                "_io",
                                "Compiled readers, writers and checks of meshlearn, without torch.",
                                -1,
                                nullptr,
                                nullptr,
                                nullptr,
                                nullptr,
                                nullptr};

PyMODINIT_FUNC PyInit__io(void) {
  using namespace meshlearn;
  PyObject* module = PyModule_Create(&io_module);
  if (module == nullptr) return nullptr;
  for (PyMethodDef* methods : {text_methods, obj_methods, table_methods, surface_methods})
    if (PyModule_AddFunctions(module, methods) != 0) {
      Py_DECREF(module);
      return nullptr;
    }
#ifdef MESHLEARN_SANITIZE
  PyModule_AddIntConstant(module, "sanitize", 1);
#else
  PyModule_AddIntConstant(module, "sanitize", 0);
#endif
  return module;
}
