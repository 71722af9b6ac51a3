# find_package(unipc) gives unipc::unipc, the shared library, and unipc::static.
get_filename_component(_unipc_libraries "${CMAKE_CURRENT_LIST_DIR}/@LIB_FROM_CMAKE@" ABSOLUTE)
get_filename_component(_unipc_headers "${CMAKE_CURRENT_LIST_DIR}/@INCLUDE_FROM_CMAKE@" ABSOLUTE)

if(NOT TARGET unipc::unipc)
  add_library(unipc::unipc SHARED IMPORTED)
  set_target_properties(unipc::unipc PROPERTIES
    IMPORTED_LOCATION "${_unipc_libraries}/libunipc.so.@VERSION@"
    IMPORTED_SONAME "libunipc.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_unipc_headers}")
endif()

if(NOT TARGET unipc::static)
  add_library(unipc::static STATIC IMPORTED)
  set_target_properties(unipc::static PROPERTIES
    IMPORTED_LOCATION "${_unipc_libraries}/libunipc.a"
    INTERFACE_LINK_LIBRARIES "@STATIC_LIBRARIES_CMAKE@"
    INTERFACE_INCLUDE_DIRECTORIES "${_unipc_headers}")
endif()

unset(_unipc_libraries)
unset(_unipc_headers)
